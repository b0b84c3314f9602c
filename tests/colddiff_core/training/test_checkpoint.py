"""A run that was stopped goes on as if it had not been."""

import hashlib
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from colddiff_core import train
from colddiff_core.contracts.errors import CheckpointError, Interrupted, UsageError
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.contracts.steps import TrainingStep
from colddiff_core.models.recipe import load_recipe
from colddiff_core.training.checkpoint import Checkpoint, Checkpoints, read_facts
from colddiff_core.training.lock import LOCK, is_locked, locked
from colddiff_core.training.metrics import read_lines

TINY = [
    "data.image_size=8",
    "degradation.num_steps=3",
    "restorer.channels=8",
    "restorer.multipliers=[1, 2]",
    "train.steps=8",
    "train.batch_size=4",
    "train.log_every=3",
    "train.sample_every=0",
    "train.checkpoint_every=2",
]


def tiny(*more: str) -> Recipe:
    return load_recipe("mnist-demo", [*TINY, *more])


def stop_at(step: int, number: int = signal.SIGTERM) -> Callable[[TrainingStep], None]:
    def on_log(line: TrainingStep) -> None:
        if line.step == step:
            signal.raise_signal(number)

    return on_log


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["train.precision='fp16'", "train.clip_norm=0.1", "train.accumulate=2"],
        ["degradation={name='gaussian-noise', num_steps=3}", "prior.name='gaussian-noise'"],
        ["prior.name='channel-mean-gmm'"],
        ["restorer={name='local-unet', channels=8, multipliers=[1, 2]}", "train.accumulate=2"],
    ],
)
def test_a_run_in_pieces_ends_in_the_bits_of_a_run_in_one(more: list[str], tmp_path: Path) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    train(tiny(*more), whole)
    for step, number, code in ((3, signal.SIGTERM, 143), (6, signal.SIGINT, 130)):
        with pytest.raises(Interrupted, match=f"stopped after step {step} of 8") as stopped:
            train(tiny(*more), pieces, on_log=stop_at(step, number))
        assert stopped.value.exit_code == code
        assert not (pieces / "recipe.toml").exists()
    train(tiny(*more), pieces)
    assert weights(pieces) == weights(whole)
    assert (pieces / "recipe.toml").read_bytes() == (whole / "recipe.toml").read_bytes()
    timeless = [
        [{k: v for k, v in line.items() if k != "images_per_second"} for line in read_lines(run)]
        for run in (whole, pieces)
    ]
    assert timeless[0] == timeless[1]
    assert [line["step"] for line in timeless[0]] == [3, 6, 8]
    facts = json.loads((pieces / "provenance.json").read_text())["training"]
    assert facts["resumed_at"] == [3, 6]


def test_what_is_logged_after_the_checkpoint_is_logged_once(tmp_path: Path) -> None:
    """The process dies at step 5, with a line of step 3 and half a line of step 6 written."""

    def die(line: TrainingStep) -> None:
        if line.step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny("train.checkpoint_every=4"), tmp_path, on_log=die)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    train(tiny("train.checkpoint_every=4"), tmp_path)
    assert [line["step"] for line in read_lines(tmp_path)] == [3, 6, 8]


def test_the_newest_are_kept_with_hashes_that_sha256sum_reads(tmp_path: Path) -> None:
    train(tiny("train.keep_checkpoints=3"), tmp_path)
    kept = Checkpoints(tmp_path).paths()
    assert [path.name for path in kept] == [f"000000{n}.safetensors" for n in (8, 6, 4)]
    assert len(list((tmp_path / "checkpoints").iterdir())) == 6
    for path in kept:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.with_suffix(".sha256").read_text() == f"{digest}  {path.name}\n"
    with safe_open(kept[0], "pt") as file:
        names = set(file.keys())
    assert {"network.stem.weight", "average.stem.weight", "optimizer.exp_avg.stem.weight"} <= names
    assert read_facts(kept[0])["progress"]["step"] == 8


def test_what_a_run_shows_and_keeps_may_change_on_the_way(tmp_path: Path) -> None:
    train(tiny(), tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(tiny(), tmp_path / "run", on_log=stop_at(3))
    train(tiny("train.log_every=1", "train.checkpoint_every=0", "summary=''"), tmp_path / "run")
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
    assert [line["step"] for line in read_lines(tmp_path / "run")] == [3, 4, 5, 6, 7, 8]


def test_another_recipe_is_refused_with_what_differs(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(tiny(), tmp_path, on_log=stop_at(3))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    other = tiny("train.steps=9", "degradation.std=0.5", "data.name='mnist-mini'")
    with pytest.raises(CheckpointError) as refused:
        train(other, tmp_path)
    assert "degradation.std was 0.9 and is 0.5; train.steps was 8 and is 9" in str(refused.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_another_version_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Interrupted):
        train(tiny(), tmp_path, on_log=stop_at(3))
    checkpoints = Checkpoints(tmp_path)
    saved = checkpoints.newest()
    assert saved is not None
    facts = {**saved.facts, "versions": {**saved.facts["versions"], "torch": "1.0"}}
    checkpoints.save(Checkpoint(saved.step, facts, saved.tensors), keep=1)
    train(tiny(), tmp_path)
    assert f"began with torch 1.0, goes on with {torch.__version__}" in caplog.text


def test_training_leaves_torch_s_random_state_and_the_signals_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    torch.manual_seed(7)
    train(tiny(), tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_a_lock_lasts_as_long_as_it_is_held(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with locked(folder):
        assert is_locked(folder)
        with pytest.raises(UsageError, match="another process is training in it"), locked(folder):
            pass
        assert is_locked(folder)
    assert not is_locked(folder)
    assert not folder.exists()  # made for the lock, and still empty
    folder.mkdir()
    (folder / LOCK).touch()  # what a process that was killed leaves
    assert not is_locked(folder)
    with locked(folder):
        assert is_locked(folder)
    assert list(folder.iterdir()) == []
