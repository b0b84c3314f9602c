"""Laws of what is called with images: degradations, restorers, samplers; some of priors, too."""

import torch
from torch import Tensor

from colddiff_core.testing.check import check
from colddiff_core.testing.moving import expect_no_stray_tensors, expect_to_run_elsewhere
from colddiff_core.testing.scenes import OTHER_CALLS, Scene, first_scene, make, on_scenes, scenes
from colddiff_core.testing.subject import Subject
from colddiff_core.testing.watch import Operations, drawn_from

CALLED = ("degradation", "restorer", "sampler")

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


@on_scenes(*CALLED, "prior")
def result_like_the_input(scene: Scene) -> None:
    """The result has the shape, the type and the device of the images."""
    for dtype in DTYPES if scene.subject.kind == "degradation" else DTYPES[:1]:
        x = scene.x0.to(dtype)
        for what, found in scene.on(x).results().items():
            if not isinstance(found, Tensor):
                scene.fail(f"{what} is a {type(found).__name__}", "Return one tensor.")
            if (found.shape, found.dtype, found.device) != (x.shape, x.dtype, x.device):
                scene.fail(
                    f"{what} is {found.dtype} {tuple(found.shape)} on {found.device} for images "
                    f"that are {x.dtype} {tuple(x.shape)} on {x.device}",
                    "Return (B, C, H, W), height before width; compute in float32 or the type of "
                    "the images, whichever is wider, and end with .to(x.dtype).",
                )


@on_scenes(*CALLED)
def keeps_its_input(scene: Scene) -> None:
    """Neither images, levels nor context are changed in place."""
    before = {name: (value._version, value.clone()) for name, value in scene.tensors.items()}
    scene.results()
    for call in OTHER_CALLS.get(scene.subject.kind, {}).values():
        call(scene)
    for name, (version, copy) in before.items():
        value = scene.tensors.get(name)
        if value is None or value._version != version or not torch.equal(value, copy):
            scene.fail(
                f"{name} is changed in place",
                "The caller needs it again: use the method without the underscore at its end, "
                "x * a for x *= a, x.clone(), and no activation with inplace=True on the input.",
            )
    if scene.tensors.keys() != before.keys():
        scene.fail("entries are added to the context", "Only read the context.")


@on_scenes(*CALLED)
def takes_any_memory_layout(scene: Scene) -> None:
    """It gives the same where channels lie last in memory, as fast networks have them."""
    expected = scene.results()
    last = scene.on(scene.x0.contiguous(memory_format=torch.channels_last))
    if scene.subject.kind == "restorer":
        scene.part.to(memory_format=torch.channels_last)
    for what, found in last.results().items():
        scene.expect_close(
            found,
            expected[what],
            f"{what} is another one for images in channels_last layout",
            "Use .reshape or .flatten where you use .view.",
        )


@on_scenes(*CALLED)
def batch_independent(scene: Scene) -> None:
    """An image comes out alone as it does in a batch; a network is in evaluation mode."""
    alone = [scene.take(slice(k, k + 1)).results() for k in range(len(scene.x0))]
    for what, together in scene.results().items():
        scene.expect_close(
            together,
            torch.cat([results[what] for results in alone]),
            f"{what} of an image depends on the others in the batch",
            "Images do not see each other: take means and extremes over the axes (1, 2, 3), never "
            "over axis 0, and use each image's own level and context.",
        )


@on_scenes(*CALLED, "prior")
def deterministic(scene: Scene) -> None:
    """The same arguments give the same, bit for bit, whatever was called before."""
    first = scene.results()
    scene.on(-scene.x0).results()
    if scene.subject.kind == "degradation":
        scene.draw(-scene.x0, torch.Generator().manual_seed(1))
    for what, found in scene.results().items():
        if not torch.equal(found, first[what]):
            scene.fail(
                f"{what} gives something else later for the same arguments",
                "It is a function of its arguments: keep nothing in self between calls, and "
                "compute tables from the parameters alone.",
            )


@on_scenes(*CALLED, "prior")
def no_global_randomness(scene: Scene) -> None:
    """Nothing is drawn from the global generators of torch, NumPy or Python."""
    others = OTHER_CALLS.get(scene.subject.kind, {})
    calls = scene.calls() | {what: lambda call=call: call(scene) for what, call in others.items()}
    for what, call in calls.items():
        with torch.no_grad(), drawn_from() as drawn:
            call()
        if drawn:
            scene.fail(
                f"{what} draws from {drawn[0]}",
                "Draw from the generator that sample_context or sample is given: torch.rand(…, "
                "generator=generator). Dropout goes by self.training.",
            )


@check(*CALLED, "prior", seed=0)
def rebuilds_the_same(subject: Subject) -> None:
    """Built again with the same parameters under another global seed, it is the same."""
    scene = next(scenes(subject))
    expected = scene.results()
    other = make(subject, seed=1)
    if subject.kind == "restorer":
        other.load_state_dict(scene.part.state_dict())
    scene.on(-scene.x0).by(other).results()
    for what, found in scene.by(other).results().items():
        if not torch.equal(found, expected[what]):
            scene.fail(
                f"built again with the same parameters under another global seed, {what} is "
                f"another one",
                "A model folder stores the parameters alone, and the state_dict of a network: "
                "compute tables from the parameters; what is drawn is context, a network's weight "
                "or persistent buffer; what is fitted starts from the images or a fixed seed.",
            )


@on_scenes(*CALLED)
def no_float64_inside(scene: Scene) -> None:
    """From float32 images nothing wider than float32 is computed: accelerators are slow at it."""
    scene.results()  # makes the tables, which may be wide meanwhile
    with Operations() as seen:
        scene.results()
    if seen.wide is not None:
        scene.fail(
            f"{seen.wide[0]} gives {seen.wide[1]} where all that it is given is float32",
            "Compute tables in float64 if you like, and register them as float32: "
            "register_buffer(name, table.float(), persistent=False).",
        )


@check("degradation", "restorer", seed=0)
def tables_are_buffers(subject: Subject) -> None:
    """Every tensor is a buffer or a parameter, so that it runs wherever it is moved."""
    scene = first_scene(subject)
    scene.results()  # which may make tables
    expect_no_stray_tensors(scene.part)
    expect_to_run_elsewhere(scene)
