"""Two processes learn what one does."""

import json
import subprocess
import sys
from pathlib import Path

import forks
import pytest
import torch
from safetensors.torch import load_file

from colddiff_core.contracts.errors import UsageError
from colddiff_core.training.distributed import World, joined
from colddiff_core.training.metrics import read_lines


def test_two_processes_agree_with_one_and_stop_resume_and_refuse_together(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, forks.__file__, "pair", tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "one": [0],
        "stopped": [143, 143],
        "refused": [2, 2],
        "resumed": [0, 0],
        "normalised": [0, 0],
        "idle": [2, 2],
    }, done.stderr
    assert (
        done.stderr.count("restorer Net: 1 parameters have no part in its result, e.g. 'idle'") == 2
    )
    assert done.stderr.count("stopped after step 3 of 6") == 2
    assert done.stderr.count("train.lr was 0.002 and is 0.5") == 2
    one, two = tmp_path / "one", tmp_path / "two"
    losses = [[line["loss"] for line in read_lines(folder)] for folder in (one, two)]
    assert len(losses[0]) == 2
    assert losses[1] == pytest.approx(losses[0], abs=1e-6)
    weights = load_file(one / "model.safetensors")
    for name, tensor in load_file(two / "model.safetensors").items():
        torch.testing.assert_close(tensor, weights[name], atol=2e-5, rtol=0)
    assert json.loads((two / "provenance.json").read_text())["training"]["processes"] == 2


@pytest.mark.parametrize(("batch_size", "size"), [(8, 2), (7, 3), (3, 3)])
def test_processes_share_a_batch_out_evenly(batch_size: int, size: int) -> None:
    shares = [World(torch.device("cpu"), rank, size).share(batch_size) for rank in range(size)]
    assert [place for share in shares for place in share] == list(range(batch_size))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_needs_no_group() -> None:
    def fail() -> None:
        raise UsageError("no")

    with joined("cpu") as world:
        assert (world.rank, world.size) == (0, 1)
        assert not torch.distributed.is_initialized()
        assert world.on_first(lambda: 7) == world.max(7) == 7
        assert world.sum(torch.tensor([1.0, 2.0])).tolist() == [1, 2]
        with pytest.raises(UsageError, match="no"):
            world.on_first(fail)
