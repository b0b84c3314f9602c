"""Laws of what a component does in a process: it is trained, saved, traced, exported."""

import warnings

import torch
from torch import Tensor

from colddiff_core.pictures.value_range import from_uint8
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import build
from colddiff_core.testing import uses
from colddiff_core.testing.check import check, one_line
from colddiff_core.testing.scenes import first_scene, images, seeded
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import global_seed
from colddiff_core.training.engine import reconstruction_loss
from colddiff_core.training.minibatch import Minibatch

STEPS = 10
"""Of a short training."""


@check("degradation", "restorer", essential=True, seed=0)
def trains_ten_steps(subject: Subject) -> None:
    """Ten steps on a batch, with the same levels and contexts, lower the loss.

    A loss of 0 means that level t is the clean image; one that stays, that nothing is learnt.
    """
    with uses.process_of(subject) as process:
        x0, draws = images(8, process.image_shape, seeded(0)), seeded(1)
        t = torch.randint(1, process.num_steps + 1, (len(x0),), generator=draws)
        pixels = ((x0 + 1) * 127.5).round().to(torch.uint8)
        minibatch = Minibatch(pixels, t, process.sample_context(from_uint8(pixels), draws))
        process.train()
        optimizer = torch.optim.Adam(process.restorer.parameters(), lr=1e-3)
        losses = []
        for _ in range(STEPS + 1):
            loss = reconstruction_loss(process.degradation, process.restorer, minibatch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
    if not all(torch.tensor(losses).isfinite()):
        raise CheckFailed(f"the loss of a training of {STEPS} steps is not finite: {losses}")
    if not min(losses[1:]) < losses[0]:
        raise CheckFailed(
            f"{STEPS} steps of training on one batch do not lower the loss: {losses[0]:.4g} at "
            f"first, {min(losses[1:]):.4g} at best"
        )


@check("degradation", "restorer", "sampler", "prior", essential=True, seed=0)
def works_through_a_model_folder(subject: Subject) -> None:
    """A model that was saved and loaded does the same, bit for bit.

    A model folder stores parameters of components, and the weights and persistent buffers of
    restorer and prior: keep what `fit` learns in those.
    """
    with uses.process_of(subject, nudge=True) as process:
        x0 = images(2, process.image_shape, seeded(0))
        context, levels = process.sample_context(x0, seeded(1)), uses.short(process)
        with global_seed(99):
            loaded = ColdDiffusion.load(process.save(subject.folder / "model"))
    results: list[dict[str, Tensor]] = []
    for model in (process, loaded):
        x_t = model.degrade(x0, levels[0], context)
        results.append({"degrades": x_t, "restores": model.restore(x_t, levels, context)})
        if process.prior is not None:
            results[-1]["generates"] = model.generate(3, timesteps=levels, generator=seeded(0))
    for what, before in results[0].items():
        if not torch.equal(before, results[1][what]):
            raise CheckFailed(
                f"after it was saved and loaded, a model {what} otherwise, by "
                f"{float((before - results[1][what]).abs().max()):.2g}"
            )


@check("degradation", "restorer", seed=0)
def traces_for_any_batch(subject: Subject) -> None:
    """`torch.export` traces it with a batch of any size, and the program agrees.

    No Python branch, int() or .item() looks at the values of a tensor, nor at the size of the
    batch: use torch.where, indexing, and x.shape[0] or -1.
    """
    scene = first_scene(subject)
    what, expected = next(iter(scene.results().items()))
    traced, other = (
        (each.x0, each.t, dict(each.context))[: 3 if subject.kind == "degradation" else 2]
        for each in (scene.take(slice(3)), scene)
    )
    dynamic = {0: torch.export.Dim("batch")}
    shapes = (dynamic, dynamic, dict.fromkeys(scene.context, dynamic))[: len(traced)]
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(scene.part, traced, dynamic_shapes=shapes).module()
            found = program(*other)
    except Exception as error:
        raise CheckFailed(
            f"torch.export cannot trace {subject.cls.__name__} for any batch: {one_line(error)}"
        ) from error
    scene.expect_close(found, expected, f"traced with a batch of 3, {what} gives something else")


@check("degradation", "restorer", "sampler", essential=True, seed=0)
def exports_to_onnx(subject: Subject) -> None:
    """A process with it is exported to ONNX, and the file agrees with torch."""
    with uses.process_of(subject, nudge=True) as process:
        exporter = build("exporter", "onnx")
        path = exporter.export(process, subject.folder / "model.onnx").path
        uses.expect_to_agree(exporter, path, process, "this component")


@check("prior", essential=True, seed=0)
def generates(subject: Subject) -> None:
    """A process generates finite images from it, with a degradation that its context serves."""
    with uses.process_of(subject) as process:
        generated = process.generate(2, timesteps=uses.short(process), generator=seeded(0))
        if not generated.isfinite().all():
            raise CheckFailed("what is generated from it is not finite")
