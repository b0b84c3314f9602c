"""Training in processes that are forked from one that has imported torch, to be run as a script.

    python tests/forks.py killed FOLDER SEED
    python tests/forks.py pair FOLDER

Forking costs milliseconds where a new interpreter costs seconds. This process starts no thread and
trains nothing itself, so its children may.
"""

import json
import os
import random
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from own import SETTINGS, Net, own_images, own_process
from tiny_runs import tiny_recipe

from colddiff_core.contracts.errors import ColdDiffError
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.training.distributed import World
from colddiff_core.training.engine import Engine
from colddiff_core.training.setup import prepare, task_of_recipe
from colddiff_core.training.trainer import train

KILLS = 10
STEPS_BETWEEN = 8  # at most, so that a run of more than KILLS * STEPS_BETWEEN is never done before


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a child and return the child's number."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        work()
        code = 0
    except ColdDiffError as error:
        sys.stderr.write(f"{error}\n")
        code = error.exit_code
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(*children: int) -> list[int]:
    """Exit codes; that of a child which a signal killed is negative."""
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def at_each_call(action: Callable[[int], None]) -> None:
    """Call `action` with the number of each call of a function from here on, Python's or C's."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1
            action(calls)

    sys.setprofile(count)


def killed(folder: Path, seed: int) -> dict[str, Any]:
    """Train once in peace, and once with `KILLS` kill -9 on the way."""
    steps = KILLS * STEPS_BETWEEN + 5
    recipe = tiny_recipe(folder / "pictures", f"train.steps={steps}")
    whole, pieces, counted = folder / "whole", folder / "pieces", folder / "counted"

    def in_peace() -> None:
        calls: list[int] = [0]
        marks: list[int] = []
        at_each_call(lambda number: calls.__setitem__(0, number))
        train(recipe, whole, on_log=lambda _: marks.append(calls[0]))
        sys.setprofile(None)
        counted.write_text(json.dumps([marks[0], marks[-1]]))

    codes = wait(fork(in_peace))
    first, last = json.loads(counted.read_text())
    latest = first + (STEPS_BETWEEN - 1) * (last - first) // (steps - 1)
    draws = random.Random(seed)  # noqa: S311 - moments, no secrets
    for _ in range(KILLS):
        moment = draws.randrange(latest)
        codes += wait(fork(partial(kill_at, moment, recipe, pieces)))
    codes += wait(fork(lambda: void(train(recipe, pieces))))
    return {"codes": codes}


def kill_at(moment: int, recipe: Recipe, folder: Path) -> None:
    """Train until the call of that number."""

    def kill(call: int) -> None:
        if call == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    at_each_call(kill)
    train(recipe, folder)


def pair(folder: Path) -> dict[str, Any]:
    """Train in one process, and in two of which the second is asked to stop at step 3.

    That is between two lines of metrics. Then two processes train a network with a batch
    normalisation, and one with a weight of no use.
    """
    recipe = tiny_recipe(folder / "pictures", "train.accumulate=2", "train.log_every=4")
    other = tiny_recipe(folder / "pictures", "train.lr=0.5")
    step = Engine.step

    def stopping(engine: Engine, number: int, *arguments: Any) -> torch.Tensor:
        if number == 3 and engine.world.rank == 1:
            signal.raise_signal(signal.SIGTERM)
        return step(engine, number, *arguments)

    def stopped() -> None:
        Engine.step = stopping  # type: ignore[method-assign]
        void(train(recipe, folder / "two"))

    one = wait(fork(lambda: void(train(recipe, folder / "one"))))
    return {
        "one": one,
        "stopped": wait(*fork_pair(stopped)),
        "refused": wait(*fork_pair(lambda: void(train(other, folder / "two")))),
        "resumed": wait(*fork_pair(lambda: void(train(recipe, folder / "two")))),
        "normalised": wait(*fork_pair(partial(own, folder / "normalised", idle=False))),
        "idle": wait(*fork_pair(partial(own, folder / "idle", idle=True))),
    }


def own(folder: Path, *, idle: bool) -> None:
    """Train a network that no plugin registers."""
    train(own_process(Net(idle=idle)), own_images(), SETTINGS, folder)


def fork_pair(work: Callable[[], None]) -> list[int]:
    """Run `work` in two children, told of each other as `torchrun` tells its workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def worker(rank: int) -> Callable[[], None]:
        def run() -> None:
            os.environ.update(
                MASTER_ADDR="127.0.0.1",
                MASTER_PORT=str(port),
                WORLD_SIZE="2",
                RANK=str(rank),
                LOCAL_RANK=str(rank),
            )
            work()

        return run

    return [fork(worker(rank)) for rank in range(2)]


def void(_: object) -> None:
    """Forget a result."""


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.environ["COLDDIFF_DISABLE_PLUGINS"] = "tensorboard"
    # What every child would import, and find out about plugins, for itself
    prepare(task_of_recipe(tiny_recipe(Path(sys.argv[2]) / "pictures")), World(torch.device("cpu")))
    _, what, where, *rest = sys.argv
    report = killed(Path(where), int(rest[0])) if what == "killed" else pair(Path(where))
    sys.stdout.write(json.dumps(report))
