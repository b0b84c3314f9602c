"""What plugins are told, and what they cannot spoil."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from colddiff_core import ColdDiffusion, Step, hookimpl, train
from colddiff_core.contracts.steps import TrainingStep
from colddiff_core.models.recipe import load_recipe
from colddiff_core.registry.events import emit, listening

SMALL = ["train.steps=3", "train.log_every=1", "train.batch_size=2", "train.sample_every=0"]
SMALL += ["restorer.channels=8", "restorer.multipliers=[1]", "degradation.num_steps=2"]


class Listener:
    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    @hookimpl
    def colddiff_sampling_step(self, step: Step) -> None:  # takes one argument of two
        self.told.append((step.t, step.s))


class Broken:
    @hookimpl
    def colddiff_sampling_step(self) -> None:
        raise ZeroDivisionError("by zero")


def test_a_listener_is_told_each_step_while_it_listens(process: ColdDiffusion) -> None:
    x_t, listener = torch.zeros(1, 1, 8, 8), Listener()
    with listening(listener):
        process.restore(x_t, (4, 2, 0))
    process.restore(x_t)
    assert listener.told == [(4, 2), (2, 0)]


def test_a_listener_that_fails_is_told_once_and_spoils_nothing(
    process: ColdDiffusion, caplog: pytest.LogCaptureFixture
) -> None:
    x_t, listener = torch.zeros(1, 1, 8, 8), Listener()
    expected = process.restore(x_t)
    with caplog.at_level(logging.WARNING), listening(Broken()), listening(listener):
        assert torch.equal(process.restore(x_t), expected)
    assert len(listener.told) == 4
    (record,) = caplog.records
    assert "colddiff_sampling_step failed" in record.getMessage()
    assert "ZeroDivisionError: by zero" in record.getMessage()


def test_strict_lets_it_fail(process: ColdDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDDIFF_PLUGINS_STRICT", "1")
    with listening(Broken()), pytest.raises(ZeroDivisionError):
        process.restore(torch.zeros(1, 1, 8, 8))


def test_training_tells_what_it_logs_and_tensorboard_draws_it(tmp_path: Path) -> None:
    class Log:
        told: list[tuple[TrainingStep, ColdDiffusion, Path]] = []  # noqa: RUF012

        @hookimpl
        def colddiff_training_step(
            self, step: TrainingStep, process: ColdDiffusion, folder: Path
        ) -> None:
            self.told.append((step, process, folder))

    with listening(Log()):
        process = train(load_recipe("mnist-demo", SMALL), tmp_path)
    assert [(step.step, told, folder) for step, told, folder in Log.told] == [
        (k, process, tmp_path) for k in (1, 2, 3)
    ]
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    curve = [(point.step, point.value) for point in events.Scalars("train/loss")]
    assert curve == [(step.step, pytest.approx(step.loss)) for step, *_ in Log.told]


def test_nobody_listens() -> None:
    emit("colddiff_sampling_step", step=None, process=None)


def test_a_process_by_hand_loads_no_plugin() -> None:
    program = (
        "import torch\n"
        "from colddiff_core import ColdDiffusion, Degradation, Sampler\n"
        "class Fade(Degradation):\n"
        "    def forward(self, x0, t, context=None): return x0\n"
        "class Last(Sampler):\n"
        "    def step(self, x_t, x0_hat, t, s, degradation, context): return x0_hat\n"
        "class Same(torch.nn.Module):\n"
        "    image_shape, size_multiple, reach = (1, 4, 4), 1, 0\n"
        "    def forward(self, x, t): return x\n"
        "ColdDiffusion(Fade(2), Same(), Last()).restore(torch.zeros(1, 1, 4, 4))\n"
        "from colddiff_core.registry.discovery import manager, plugins\n"
        "print(plugins.cache_info().currsize, len(manager.list_name_plugin()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "0 0\n"), done.stderr
