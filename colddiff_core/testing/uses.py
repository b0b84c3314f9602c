"""What is done with a trained process, tried on a small one."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colddiff_core.contracts.degradation import Degradation, ImageShape
from colddiff_core.contracts.exporter import Exporter
from colddiff_core.contracts.prior import Prior
from colddiff_core.contracts.restorer import Restorer
from colddiff_core.contracts.sampler import Sampler
from colddiff_core.contracts.timesteps import evenly
from colddiff_core.pictures.value_range import from_uint8
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import build
from colddiff_core.testing.check import one_line
from colddiff_core.testing.inputs import images, seeded
from colddiff_core.testing.stand_ins import TinyRestorer
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed
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
def process(
    degradation: Degradation | None = None,
    restorer: Restorer | None = None,
    sampler: Sampler | None = None,
    prior: Prior | None = None,
    shape: ImageShape = (3, 16, 16),
) -> Iterator[ColdDiffusion]:
    """A process of the parts given, with small ones for the rest, in evaluation mode.

    It can be saved and exported within the context.
    """
    for part in (restorer, prior):
        shape = part.image_shape if part is not None else shape
    with Subject.of(TinyRestorer) as tiny, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield ColdDiffusion(
            degradation or build("degradation", "gaussian-blur", num_steps=4, std=0.7),
            restorer or tiny.build(shape),
            sampler or build("sampler", "improved"),
            prior,
        ).eval()


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
        raise CheckFailed(f"the loss of a training of {STEPS} steps is not finite: {losses}", 0)
    if not min(losses[1:]) < losses[0]:
        raise CheckFailed(
            f"{STEPS} steps of training on one batch do not lower the loss: {losses[0]:.4g} at "
            f"first, {min(losses[1:]):.4g} at best. A loss of 0 means that level t is the clean "
            f"image; one that stays, that nothing is learnt",
            seed=0,
        )


def expect_the_same_from_a_folder(process: ColdDiffusion, folder: Path) -> None:
    """A model folder gives back the same process.

    Raises:
        CheckFailed: what was loaded restores something else.
    """
    shape = process.image_shape
    x0 = images(2, shape, seeded(0))
    context = process.sample_context(x0, seeded(1))
    loaded = saved_and_loaded(process, folder)
    levels = _short(process)
    x_t = [model.degrade(x0, levels[0], context) for model in (process, loaded)]
    restored = [
        model.restore(x, levels, context) for model, x in zip((process, loaded), x_t, strict=True)
    ]
    for what, (before, after) in {"degrades": x_t, "restores": restored}.items():
        if not torch.equal(before, after):
            raise CheckFailed(
                f"after it was saved and loaded, a model {what} otherwise, by "
                f"{float((before - after).abs().max()):.2g}: a model folder stores parameters of "
                f"components, and the weights and persistent buffers of restorer and prior",
                seed=0,
            )


def saved_and_loaded(process: ColdDiffusion, folder: Path) -> ColdDiffusion:
    """The process out of a model folder, loaded under a global seed of its own."""
    with global_seed(99):
        return ColdDiffusion.load(process.save(folder / "model"))


def run_traced(module: nn.Module, traced: tuple[Any, ...], arguments: tuple[Any, ...]) -> Tensor:
    """Trace a module with a dynamic batch, and run the program on a batch of another size.

    Args:
        module: what is traced.
        traced: arguments to trace with: tensors, batch first, and dicts of such.
        arguments: those to run with.

    Raises:
        CheckFailed: it cannot be traced, or the program fails on the other batch.
    """
    dynamic = {0: torch.export.Dim("batch")}
    shapes = tuple(
        dict.fromkeys(value, dynamic) if isinstance(value, dict) else dynamic for value in traced
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, traced, dynamic_shapes=shapes).module()
        found: Tensor = program(*arguments)
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
    levels = _short(process)
    x_t = process.degrade(x0, levels[0], context)
    arrays = {name: value.numpy() for name, value in context.items()}
    found = torch.from_numpy(exporter.open(path, device="cpu").restore(x_t.numpy(), levels, arrays))
    expected = process.restore(x_t, levels, context)
    off = float((found - expected).abs().max()) if found.shape == expected.shape else torch.inf
    if not off <= TOLERANCE:
        raise CheckFailed(
            f"with {what}, file and torch differ by {off:.2g} over the levels {list(levels)}", 0
        )


def _short(process: ColdDiffusion) -> tuple[int, ...]:
    return evenly(process.num_steps, min(SHORT, process.num_steps))
