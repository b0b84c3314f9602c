"""What is done with a trained process, tried on a small one."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colddiff_core.contracts.degradation import Degradation, ImageShape
from colddiff_core.contracts.errors import ParameterError
from colddiff_core.contracts.exporter import Exporter
from colddiff_core.contracts.prior import Prior
from colddiff_core.contracts.timesteps import evenly
from colddiff_core.pictures.value_range import from_uint8
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import build, registry
from colddiff_core.testing.check import one_line
from colddiff_core.testing.inputs import images, seeded
from colddiff_core.testing.scenes import Scene, make, scenes
from colddiff_core.testing.stand_ins import TinyRestorer
from colddiff_core.testing.subject import SMALL, Subject
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped
from colddiff_core.testing.watch import global_seed
from colddiff_core.training.engine import reconstruction_loss
from colddiff_core.training.minibatch import Minibatch

STEPS = 10
"""Of a short training."""

TOLERANCE = 2e-4
"""Largest difference of an exported file from torch, which checked itself in single steps."""

SHORT = 4
"""Steps of the schedule in which a file is run once more."""


@contextmanager
def process(shape: ImageShape = (3, 16, 16), **parts: Any) -> Iterator[ColdDiffusion]:
    """A process of the parts given, with small ones for the rest, in evaluation mode.

    It can be saved and exported within the context.

    Args:
        shape: (C, H, W) of the images.
        **parts: by their kind.
    """
    with Subject.of(TinyRestorer) as tiny, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield ColdDiffusion(
            parts.get("degradation") or build("degradation", "gaussian-blur", num_steps=4, std=0.7),
            parts.get("restorer") or tiny.build(shape),
            parts.get("sampler") or build("sampler", "improved"),
            parts.get("prior"),
        ).eval()


@contextmanager
def process_of(subject: Subject, *, nudge: bool = False) -> Iterator[ColdDiffusion]:
    """A process with a component in it, and with a degradation that suits it.

    Args:
        subject: the component; no data set or exporter.
        nudge: as for `make`.
    """
    parts = {subject.kind: make(subject, nudge=nudge)}
    if subject.kind == "sampler":
        parts["degradation"] = next(scenes(subject)).degradation
    elif subject.kind == "prior":
        parts["degradation"] = _served(parts["prior"])
    shape = SMALL[0] if subject.kind == "sampler" else subject.shapes[0]
    with process(shape, **parts) as made:
        yield made


def _served(prior: Prior) -> Degradation:
    """A degradation that needs no context but what the prior gives, all of it if possible.

    Raises:
        CheckSkipped: there is none.
    """
    found: list[Degradation] = []
    for item in registry().components("degradation"):
        with suppress(ParameterError):  # not for such images, or it needs to be told more
            d: Degradation = item.build()
            d.check(prior.image_shape)
            if set(d.context_names) <= set(prior.gives):
                found.append(d)
    if not found:
        raise CheckSkipped("no installed degradation can do with the context that it gives")
    d = max(found, key=lambda d: (len(d.context_names), -d.num_steps))
    _, context = prior.sample(2, seeded(0))
    for name, spec in d.context_spec(prior.image_shape).items():
        if (context[name].dtype, tuple(context[name].shape[1:])) != (spec.dtype, spec.shape):
            raise CheckFailed(
                f"context[{name!r}] is {context[name].dtype} {tuple(context[name].shape)} for 2 "
                f"images, and {type(d).__name__} takes {spec.dtype} {spec.shape} for each"
            )
    return d


def expect_to_learn(process: ColdDiffusion, lr: float = 1e-3) -> None:
    """Ten steps on one batch, with the same levels and contexts, lower the loss.

    Raises:
        CheckFailed: the loss is not finite, or never lower than it was at first.
    """
    x0 = images(8, process.image_shape, seeded(0))
    draws = seeded(1)
    t = torch.randint(1, process.num_steps + 1, (len(x0),), generator=draws)
    pixels = ((x0 + 1) * 127.5).round().to(torch.uint8)
    minibatch = Minibatch(pixels, t, process.sample_context(from_uint8(pixels), draws))
    process.train()
    optimizer = torch.optim.Adam(process.restorer.parameters(), lr=lr)
    losses = []
    for _ in range(STEPS + 1):
        loss = reconstruction_loss(process.degradation, process.restorer, minibatch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    process.eval()
    if not all(torch.tensor(losses).isfinite()):
        raise CheckFailed(f"the loss of a training of {STEPS} steps is not finite: {losses}")
    if not min(losses[1:]) < losses[0]:
        raise CheckFailed(
            f"{STEPS} steps of training on one batch do not lower the loss: {losses[0]:.4g} at "
            f"first, {min(losses[1:]):.4g} at best. A loss of 0 means that level t is the clean "
            f"image; one that stays, that nothing is learnt"
        )


def expect_the_same_from_a_folder(process: ColdDiffusion, folder: Path) -> None:
    """A model folder gives back the same process.

    Raises:
        CheckFailed: what was loaded degrades, restores or generates something else.
    """
    x0 = images(2, process.image_shape, seeded(0))
    context, levels = process.sample_context(x0, seeded(1)), short(process)
    with global_seed(99):
        loaded = ColdDiffusion.load(process.save(folder / "model"))
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
                f"{float((before - results[1][what]).abs().max()):.2g}: a model folder stores "
                f"parameters of components, and the weights and persistent buffers of restorer "
                f"and prior: keep what `fit` learns in those"
            )


def run_traced(module: nn.Module, traced: Scene, other: Scene) -> Tensor:
    """Trace a module with a dynamic batch, and run the program on a batch of another size.

    Args:
        module: a degradation or a restorer.
        traced: what it is traced with.
        other: what the program is run with.

    Raises:
        CheckFailed: it cannot be traced, or the program fails on the other batch.
    """
    dynamic = {0: torch.export.Dim("batch")}
    arguments, others = (
        (scene.x0, scene.t, dict(scene.context))[: 3 if isinstance(module, Degradation) else 2]
        for scene in (traced, other)
    )
    shapes = (dynamic, dynamic, dict.fromkeys(traced.context, dynamic))[: len(arguments)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, arguments, dynamic_shapes=shapes).module()
        with torch.no_grad():
            found: Tensor = program(*others)
    except Exception as error:
        raise CheckFailed(
            f"torch.export cannot trace {type(module).__name__} for any batch: {one_line(error)}. "
            f"No Python branch, int() or .item() looks at the values of a tensor, nor at the size "
            f"of the batch: use torch.where, indexing, and x.shape[0] or -1"
        ) from error
    return found


def expect_an_onnx_file(process: ColdDiffusion, folder: Path) -> None:
    """The process is exported to ONNX, and the file agrees with torch.

    Raises:
        CheckFailed: it does not agree, seen from outside.
    """
    exporter = build("exporter", "onnx")
    path = exporter.export(process, folder / "model.onnx").path
    expect_to_agree(exporter, path, process, "this component")


def expect_to_agree(exporter: Exporter, path: Path, process: ColdDiffusion, what: str) -> None:
    """An exported file restores what the process restores.

    Raises:
        CheckFailed: they differ by more than `TOLERANCE`.
    """
    x0 = images(2, process.image_shape, seeded(0))
    context = process.sample_context(x0, seeded(1))
    levels = short(process)
    x_t = process.degrade(x0, levels[0], context)
    arrays = {name: value.numpy() for name, value in context.items()}
    found = torch.from_numpy(exporter.open(path, device="cpu").restore(x_t.numpy(), levels, arrays))
    expected = process.restore(x_t, levels, context)
    off = float((found - expected).abs().max()) if found.shape == expected.shape else torch.inf
    if not off <= TOLERANCE:
        raise CheckFailed(
            f"with {what}, file and torch differ by {off:.2g} over the levels {list(levels)}"
        )


def short(process: ColdDiffusion) -> tuple[int, ...]:
    """A schedule of a few steps."""
    return evenly(process.num_steps, min(SHORT, process.num_steps))
