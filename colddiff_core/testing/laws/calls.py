"""Laws of what is called with images: degradations, restorers, samplers; some of priors, too."""

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from colddiff_core.testing.check import check, one_line
from colddiff_core.testing.scenes import Scene, first_scene, make, on_scenes, scenes, seeded
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.verdict import CheckFailed
from colddiff_core.testing.watch import Operations, drawn_from

CALLED = ("degradation", "restorer", "sampler")

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

_TORCHS_OWN = frozenset(vars(nn.Module()))


@on_scenes(*CALLED, "prior")
def result_like_the_input(scene: Scene) -> None:
    """The result has the shape, the type and the device of the images.

    Return one tensor (B, C, H, W), height before width; compute in float32 or the type of the
    images, whichever is wider, and end with .to(x.dtype).
    """
    for dtype in DTYPES if scene.kind == "degradation" else DTYPES[:1]:
        x = scene.x0.to(dtype)
        for what, found in scene.on(x).results().items():
            if not isinstance(found, Tensor):
                scene.fail(f"{what} is a {type(found).__name__}")
            if (found.shape, found.dtype, found.device) != (x.shape, x.dtype, x.device):
                scene.fail(
                    f"{what} is {found.dtype} {tuple(found.shape)} on {found.device} for images "
                    f"that are {x.dtype} {tuple(x.shape)} on {x.device}"
                )


@on_scenes(*CALLED)
def keeps_its_input(scene: Scene) -> None:
    """Neither images, levels nor context are changed in place.

    The caller needs them again: use the method without the underscore at its end, x * a for
    x *= a, x.clone(), and no activation with inplace=True on the input.
    """
    before = {name: (value._version, value.clone()) for name, value in scene.tensors.items()}
    for call in scene.all_calls().values():
        with torch.no_grad():
            call()
    if scene.tensors.keys() != before.keys():
        scene.fail("entries of the context are added or removed")
    for name, value in scene.tensors.items():
        version, clone = before[name]
        if value._version != version or not torch.equal(value, clone):
            scene.fail(f"{name} is changed in place")


@on_scenes(*CALLED)
def takes_any_memory_layout(scene: Scene) -> None:
    """It gives the same where channels lie last in memory, as fast networks have them.

    Use .reshape or .flatten where you use .view.
    """
    expected = scene.results()
    if scene.kind == "restorer":
        scene.part.to(memory_format=torch.channels_last)
    last = scene.on(scene.x0.contiguous(memory_format=torch.channels_last))
    for what, found in last.results().items():
        scene.expect_close(found, expected[what], f"{what} differs for images in channels_last")


@on_scenes(*CALLED)
def batch_independent(scene: Scene) -> None:
    """An image comes out alone as it does in a batch; a network is in evaluation mode.

    Images do not see each other: take means and extremes over the axes (1, 2, 3), never over axis
    0, and use each image's own level and context.
    """
    alone = [scene.take(slice(k, k + 1)).results() for k in range(len(scene.x0))]
    for what, together in scene.results().items():
        expected = torch.cat([results[what] for results in alone])
        scene.expect_close(
            together, expected, f"{what} of an image depends on the others in the batch"
        )


@on_scenes(*CALLED, "prior")
def deterministic(scene: Scene) -> None:
    """The same arguments give the same, bit for bit, whatever was called before.

    It is a function of its arguments: keep nothing in self between calls, and compute tables from
    the parameters alone.
    """
    first = scene.results()
    other = scene.on(-scene.x0)
    other.results()
    if scene.kind == "degradation":
        other.draw(other.x0, seeded(1))
    for what, found in scene.results().items():
        if not torch.equal(found, first[what]):
            scene.fail(f"{what} gives something else later for the same arguments")


@on_scenes(*CALLED, "prior")
def no_global_randomness(scene: Scene) -> None:
    """Nothing is drawn from the global generators of torch, NumPy or Python.

    Draw from the generator that sample_context or sample is given: torch.rand(…,
    generator=generator). Dropout goes by self.training.
    """
    for what, call in scene.all_calls().items():
        with torch.no_grad(), drawn_from() as drawn:
            call()
        if drawn:
            scene.fail(f"{what} draws from {drawn[0]}")


@check(*CALLED, "prior", seed=0)
def rebuilds_the_same(subject: Subject) -> None:
    """Built again with the same parameters under another global seed, it is the same.

    A model folder stores the parameters alone, and the state_dict of a network: compute tables
    from the parameters; what is drawn is context, a network's weight or persistent buffer; what is
    fitted starts from the images or a fixed seed.
    """
    scene = next(scenes(subject))
    expected = scene.results()
    other = scene.by(make(subject, seed=1))
    if subject.kind == "restorer":
        other.part.load_state_dict(scene.part.state_dict())
    other.on(-scene.x0).results()
    for what, found in other.results().items():
        if not torch.equal(found, expected[what]):
            scene.fail(f"built again under another global seed, {what} gives something else")


@on_scenes(*CALLED)
def no_float64_inside(scene: Scene) -> None:
    """From float32 images nothing wider than float32 is computed: accelerators are slow at it.

    Compute tables in float64 if you like, and register them as float32:
    register_buffer(name, table.float(), persistent=False).
    """
    scene.results()  # makes the tables, which may be wide meanwhile
    with Operations() as seen:
        scene.results()
    if seen.wide is not None:
        scene.fail(f"{seen.wide[0]} gives {seen.wide[1]} where all that it is given is float32")


@check("degradation", "restorer", seed=0)
def tables_are_buffers(subject: Subject) -> None:
    """Every tensor is a buffer or a parameter, so that it runs wherever it is moved.

    Keep tables by self.register_buffer(name, table, persistent=False), and make new tensors with
    device=x.device.
    """
    scene = first_scene(subject)
    expected = scene.results()  # which may make tables
    for owner, module in scene.part.named_modules():
        for name, value in vars(module).items():
            for path in _tensors(value, ".".join(filter(None, ["self", owner, name]))):
                if name not in _TORCHS_OWN:
                    scene.fail(f"{path} is a tensor, but no buffer: .to(device) leaves it behind")
    # "meta" is a device without numbers that every machine has
    for device in ("meta", "cuda") if torch.cuda.is_available() else ("meta",):
        try:
            there = scene.by(copy.deepcopy(scene.part).to(device))
            results = there.each(lambda value: value.to(device)).results()  # noqa: B023 - now
        except Exception as error:
            raise CheckFailed(
                f"moved to another device together with its inputs, it fails: {one_line(error)}"
            ) from error
        for what, found in results.items():
            if found.device.type != device:
                scene.fail(f"for inputs on another device {what} lies on {found.device}")
            if device != "meta":
                scene.expect_close(found.cpu(), expected[what], f"{what} on {device}", 1e-2)


def _tensors(value: Any, path: str) -> Iterator[str]:
    """Where tensors are in an attribute that torch does not look into."""
    if isinstance(value, Tensor):
        yield path
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(item, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple | set):
        for k, item in enumerate(value):
            yield from _tensors(item, f"{path}[{k}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _tensors(getattr(value, field.name, None), f"{path}.{field.name}")
