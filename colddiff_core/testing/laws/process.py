"""Laws of degradations: D in a process, trained, saved, traced and exported."""

from colddiff_core.contracts.degradation import Degradation
from colddiff_core.testing import uses
from colddiff_core.testing.check import check
from colddiff_core.testing.inputs import Scene, images, levels, seeded
from colddiff_core.testing.subject import Subject


@check
def trains_ten_steps(subject: Subject) -> None:
    """A small restorer learns from it: ten steps on a batch lower the loss."""
    d: Degradation = subject.build()
    with uses.process(degradation=d, shape=subject.shapes[0]) as process:
        uses.expect_to_learn(process)


@check
def restores_through_a_model_folder(subject: Subject) -> None:
    """A model that was saved and loaded restores the same, bit for bit."""
    with uses.process(degradation=subject.build(), shape=subject.shapes[0]) as process:
        uses.expect_the_same_from_a_folder(process, subject.folder)


@check
def traces_for_any_batch(subject: Subject) -> None:
    """`torch.export` traces D with a batch of any size, and the program agrees."""
    scene = Scene.of(subject, 0)
    shape, draws = scene.shape, seeded(1)
    x0, t = images(3, shape, draws), levels(3, scene.d.num_steps, draws)
    traced = (x0, t, dict(scene.d.sample_context(x0, draws)))
    found = uses.run_traced(scene.d, traced, (scene.x0, scene.t, dict(scene.context)))
    scene.expect_close(
        found,
        scene.d(scene.x0, scene.t, scene.context),
        f"traced with a batch of {len(x0)}, the program does not agree with D",
        "No Python branch looks at the values or the number of the images or levels: use "
        "torch.where, and x0.shape[0] or -1 for the batch.",
    )


@check
def exports_to_onnx(subject: Subject) -> None:
    """A process with it is exported to ONNX, and the file agrees with torch."""
    with uses.process(degradation=subject.build(), shape=subject.shapes[0]) as process:
        uses.expect_an_onnx_file(process, subject.folder)
