"""Laws of what a component does in a process: it is trained, saved, traced, exported."""

from colddiff_core.testing import uses
from colddiff_core.testing.check import check
from colddiff_core.testing.scenes import first_scene
from colddiff_core.testing.subject import Subject


@check("degradation", "restorer", essential=True, seed=0)
def trains_ten_steps(subject: Subject) -> None:
    """Ten steps on a batch lower the loss: of a small restorer, or on blurred images."""
    with uses.process_of(subject) as process:
        uses.expect_to_learn(process)


@check("degradation", "restorer", "sampler", "prior", essential=True, seed=0)
def works_through_a_model_folder(subject: Subject) -> None:
    """A model that was saved and loaded does the same, bit for bit."""
    with uses.process_of(subject, nudge=True) as process:
        uses.expect_the_same_from_a_folder(process, subject.folder)


@check("degradation", "restorer", seed=0)
def traces_for_any_batch(subject: Subject) -> None:
    """`torch.export` traces it with a batch of any size, and the program agrees."""
    scene = first_scene(subject)
    what, expected = next(iter(scene.results().items()))
    scene.expect_close(
        uses.run_traced(scene.part, scene.take(slice(3)), scene),
        expected,
        f"traced with a batch of 3, the program does not agree with {what}",
        "No Python branch looks at the values or the number of the images or levels: use "
        "torch.where, and x.shape[0] or -1 for the batch.",
    )


@check("degradation", "restorer", "sampler", essential=True, seed=0)
def exports_to_onnx(subject: Subject) -> None:
    """A process with it is exported to ONNX, and the file agrees with torch."""
    with uses.process_of(subject, nudge=True) as process:
        uses.expect_an_onnx_file(process, subject.folder)
