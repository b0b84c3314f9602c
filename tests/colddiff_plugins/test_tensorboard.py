"""TensorBoard shows a resumed run as one curve."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_runs import tiny_recipe

from colddiff_core import train
from colddiff_core.contracts.steps import TrainingStep
from colddiff_core.training.metrics import read_lines


@pytest.mark.parametrize("another_process", [False, True])
def test_steps_that_are_done_again_are_drawn_once(tmp_path: Path, another_process: bool) -> None:
    def die(line: TrainingStep) -> None:
        # The listener hears of a line after `on_log`, so the line of step 5 is not drawn
        if line.step == 5:
            raise KeyboardInterrupt

    recipe = tiny_recipe(tmp_path / "pictures", "train.checkpoint_every=3")
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, run, on_log=die)
    if another_process:
        from colddiff_plugins import tensorboard

        tensorboard._curves.cache_clear()
    train(recipe, run)
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    curve = [(point.step, point.value) for point in events.Scalars("train/loss")]
    assert curve == [(line["step"], pytest.approx(line["loss"])) for line in read_lines(run)]
    assert [step for step, _ in curve] == [1, 2, 3, 4, 5, 6]
