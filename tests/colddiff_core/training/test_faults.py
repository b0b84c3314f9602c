"""Whatever goes wrong ends in a clear message, and the same command then ends in the same weights.

Each row takes a run that died after step 5 of 8, with checkpoints of steps 2 and 4, does something
to it, and trains. It either goes on at once (`error` is None; the message, if any, is a warning) or
stops. Then what a row does after its `yield` removes the cause, and the run goes on: it ends in the
weights of a run that nothing happened to. `resumes` is the step that it goes on from in the end:
how little is done twice.
"""

import errno
import hashlib
import json
import logging
import os
import re
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from tiny_runs import tiny_recipe

from colddiff_core import disk
from colddiff_core.contracts import errors
from colddiff_core.contracts.recipe import Recipe
from colddiff_core.registry import components as registry
from colddiff_core.training import checkpoint, lock, metrics, samples, trainer
from colddiff_core.training.checkpoint import Checkpoint, Checkpoints
from colddiff_core.training.engine import Engine
from colddiff_core.training.trainer import train


@dataclass
class Scene:
    """A run that died, and what may be done to it."""

    run: Path
    pictures: Path
    patch: pytest.MonkeyPatch
    more: tuple[str, ...] = ()

    @property
    def recipe(self) -> Recipe:
        return tiny_recipe(self.pictures, "train.steps=8", "train.sample_every=3", *self.more)

    def tensors(self, step: int) -> Path:
        return self.run / f"checkpoints/{step:07d}.safetensors"

    def hash(self, step: int) -> Path:
        return self.tensors(step).with_suffix(".sha256")

    def step(self, change: Callable[[Engine, int, torch.Tensor], torch.Tensor]) -> None:
        """Let `change` have a hand in every step."""
        step = Engine.step

        def changed(engine: Engine, number: int, *arguments: Any) -> torch.Tensor:
            return change(engine, number, step(engine, number, *arguments))

        self.patch.setattr(Engine, "step", changed)

    def write(self, module: Any, name: str, refuse: Callable[[], None]) -> None:
        """Let `refuse` be called before a module writes the file of that name."""

        def checked(path: Path, content: bytes | str) -> None:
            if path.name == name:
                refuse()
            disk.write_atomically(path, content)

        self.patch.setattr(module, "write_atomically", checked)


Cause = Callable[[Scene], Iterator[None] | None]
ROWS: list[Any] = []


def row(
    message: str | None, error: type[BaseException] | None = None, *, resumes: int = 4
) -> Callable[[Cause], Cause]:
    def add(cause: Cause) -> Cause:
        ROWS.append(pytest.param(cause, message, error, resumes, id=cause.__name__))
        return cause

    return add


DAMAGED = r"0000004.safetensors: damaged, it does not have the recorded SHA-256; trying the one"


@row(DAMAGED, resumes=2)
def tensors_truncated(scene: Scene) -> None:
    os.truncate(scene.tensors(4), scene.tensors(4).stat().st_size // 2)


@row(DAMAGED, resumes=2)
def tensors_empty(scene: Scene) -> None:
    os.truncate(scene.tensors(4), 0)


@row(DAMAGED, resumes=2)
def bit_flipped_in_a_weight(scene: Scene) -> None:
    flip(scene.tensors(4), -100)


@row(DAMAGED, resumes=2)
def bit_flipped_in_the_header(scene: Scene) -> None:
    flip(scene.tensors(4), 3)


@row(DAMAGED, resumes=2)
def bit_flipped_in_the_hash(scene: Scene) -> None:
    flip(scene.hash(4), 5)


@row(DAMAGED, resumes=2)
def hash_of_another_checkpoint(scene: Scene) -> None:
    shutil.copy(scene.hash(2), scene.hash(4))


@row(DAMAGED, resumes=2)
def hash_that_is_no_text(scene: Scene) -> None:
    scene.hash(4).write_bytes(b"\xff\0\xfe")


@row(r"0000004.safetensors: not a checkpoint: .*; trying the one before", resumes=2)
def hashed_but_no_checkpoint(scene: Scene) -> None:
    scene.tensors(4).write_bytes(b"{}")
    digest = hashlib.sha256(b"{}").hexdigest()
    scene.hash(4).write_text(f"{digest}  {scene.tensors(4).name}\n")


@row(r"0000004.safetensors: was not saved to the end; trying the one before", resumes=2)
def killed_between_tensors_and_hash(scene: Scene) -> None:
    scene.hash(4).unlink()


@row(r"0000005.safetensors: damaged", resumes=2)
def checkpoint_under_the_name_of_another_step(scene: Scene) -> None:
    scene.hash(4).rename(scene.hash(5))
    scene.tensors(4).rename(scene.tensors(5))


@row(r"none of the 2 checkpoints can be read; restore one from a backup", errors.CheckpointError)
def checkpoints_swapped(scene: Scene) -> Iterator[None]:
    swap(scene.tensors(2), scene.tensors(4))
    yield
    swap(scene.tensors(2), scene.tensors(4))


@row(r"'network.stem.bias' is missing, .* was the network changed since\?", errors.CheckpointError)
def checkpoint_of_another_network(scene: Scene) -> Iterator[None]:
    kept = [path.read_bytes() for path in (scene.tensors(4), scene.hash(4))]
    store = Checkpoints(scene.run)
    saved = store.newest()
    assert saved is not None
    fewer = {k: v for k, v in saved.tensors.items() if k != "network.stem.bias"}
    store.save(Checkpoint(saved.step, saved.facts, fewer), keep=9)
    yield
    for path, content in zip((scene.tensors(4), scene.hash(4)), kept, strict=True):
        path.write_bytes(content)


def changed_in_a_checkpoint(
    change: Callable[[dict[str, Any], dict[str, torch.Tensor]], None],
) -> Cause:
    """What is whole and well-formed, and yet no state of this run."""

    def cause(scene: Scene) -> Iterator[None]:
        kept = [path.read_bytes() for path in (scene.tensors(4), scene.hash(4))]
        store = Checkpoints(scene.run)
        saved = store.newest()
        assert saved is not None
        facts, tensors = json.loads(json.dumps(saved.facts)), dict(saved.tensors)
        change(facts, tensors)
        store.save(Checkpoint(saved.step, facts, tensors), keep=9)
        yield
        for path, content in zip((scene.tensors(4), scene.hash(4)), kept, strict=True):
            path.write_bytes(content)

    return cause


NO_STATE = {
    "a_weight_of_another_type": (
        lambda _, t: t.update({"network.stem.bias": t["network.stem.bias"].long()}),
        r"'network.stem.bias' is missing, unknown or of another shape or type",
    ),
    "a_moment_of_another_shape": (
        lambda _, t: t.update({"optimizer.exp_avg.stem.bias": torch.zeros(1)}),
        r"'optimizer.exp_avg.stem.bias' is missing, unknown or of another shape",
    ),
    "a_moment_that_is_missing": (
        lambda _, t: t.pop("optimizer.step.stem.bias"),
        r"'optimizer.step.stem.bias' is missing",
    ),
    "a_moment_of_nothing": (
        lambda _, t: t.update({"optimizer.rest": torch.zeros(1)}),
        r"'optimizer.rest' is missing, unknown",
    ),
    "losses_that_are_a_table": (
        lambda _, t: t.update({"losses": torch.zeros(2, 2)}),
        r"'losses' is missing, unknown or of another shape",
    ),
    "a_scaler_from_elsewhere": (
        lambda f, _: f.update(scaler={"scale": 2.0}),
        r"'scaler' is missing, unknown",
    ),
}
for name, (change, message) in NO_STATE.items():
    ROWS.append(
        pytest.param(changed_in_a_checkpoint(change), message, errors.CheckpointError, 4, id=name)
    )

NO_FACTS = {
    "steps_that_are_text": lambda f, _: f["progress"].update(step="four"),
    "no_progress": lambda f, _: f.pop("progress"),
    "a_recipe_that_is_a_list": lambda f, _: f.update(recipe=[]),
    "versions_that_are_numbers": lambda f, _: f.update(versions={"torch": 2}),
}
for name, change in NO_FACTS.items():
    message = r"0000004.safetensors: not a checkpoint: \S+ is missing or wrong; trying the one"
    ROWS.append(pytest.param(changed_in_a_checkpoint(change), message, None, 2, id=name))


@row(r"0000004.safetensors: cannot be read: not a regular file.*; trying the one", resumes=2)
def tensors_that_are_a_pipe(scene: Scene) -> None:
    scene.tensors(4).unlink()
    os.mkfifo(scene.tensors(4))


@row(r"0000004.safetensors: cannot be read: not a regular file.*; trying the one", resumes=2)
def hash_that_is_a_device(scene: Scene) -> None:
    scene.hash(4).unlink()
    scene.hash(4).symlink_to("/dev/zero")


@row(r"metrics.jsonl: cannot be read: not a regular file", errors.UsageError)
def metrics_that_are_a_pipe(scene: Scene) -> Iterator[None]:
    path = scene.run / "metrics.jsonl"
    content = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    yield
    path.unlink()
    path.write_bytes(content)


@row(None)
def killed_in_a_write(scene: Scene) -> None:
    (scene.run / "checkpoints/.0123456789abcdef.part").write_bytes(b"half")
    with (scene.run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')


@row(None)
def metrics_lost(scene: Scene) -> None:
    (scene.run / "metrics.jsonl").unlink()


@row(None)
def lock_of_a_dead_process(scene: Scene) -> None:
    (scene.run / lock.LOCK).write_text("")


@row(r"another process is training in it; wait for it", errors.UsageError)
def two_runs_in_one_folder(scene: Scene) -> Iterator[None]:
    with lock.locked(scene.run):
        yield


@row(r"cannot be written to: Read-only file system", errors.UsageError)
def read_only_folder(scene: Scene) -> None:
    really_open = os.open

    def refusing(path: Any, *arguments: Any, **more: Any) -> int:
        if Path(path).name == lock.LOCK:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return really_open(path, *arguments, **more)

    scene.patch.setattr(os, "open", refusing)


@row(r"cannot be made a folder: File exists", errors.UsageError)
def file_in_the_place_of_the_folder(scene: Scene) -> Iterator[None]:
    aside = scene.run.with_name("aside")
    scene.run.rename(aside)
    scene.run.touch()
    yield
    scene.run.unlink()
    aside.rename(scene.run)


@row(r"metrics.jsonl: cannot be read: Is a directory", errors.UsageError)
def folder_in_the_place_of_the_metrics(scene: Scene) -> Iterator[None]:
    path, aside = scene.run / "metrics.jsonl", scene.run / "aside"
    path.rename(aside)
    path.mkdir()
    yield
    path.rmdir()
    aside.rename(path)


@row(r"0000006.safetensors: cannot be written: File too large; step 4 is", errors.ColdDiffError)
def disk_full_in_a_checkpoint(scene: Scene) -> Iterator[None]:
    scene.more = ("train.sample_every=0",)
    with size_limit(100_000):
        yield
    scene.more = ()


@row(r"metrics.jsonl: cannot be written: .*; step 4 is saved", errors.ColdDiffError)
def disk_full_in_the_metrics(scene: Scene) -> Iterator[None]:
    lines = (scene.run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    with size_limit(len(b"".join(lines[:4])) + 20):
        yield


@row(r"0000006.png: cannot be written: No space left on device; step 4", errors.ColdDiffError)
def disk_full_in_a_sample_grid(scene: Scene) -> None:
    def refuse(path: Path, _: object) -> None:
        with disk.atomic_path(path):
            no_space()

    scene.patch.setattr(samples, "write_image", refuse)


@row(r"No space left on device; step 8 is saved, and the same", errors.ColdDiffError, resumes=8)
def disk_full_in_the_model(scene: Scene) -> None:
    def refuse(_process: object, folder: Path, **_: object) -> None:
        with disk.atomic_path(folder / "model.safetensors"):
            no_space()

    scene.patch.setattr(trainer, "save_model", refuse)


@row(None, KeyboardInterrupt, resumes=8)
def killed_before_the_model_has_its_recipe(scene: Scene) -> None:
    save = trainer.save_model

    def cut(process: Any, folder: Path, **more: Any) -> None:
        save(process, folder, **more)
        (folder / "recipe.toml").unlink()
        raise KeyboardInterrupt

    scene.patch.setattr(trainer, "save_model", cut)


@row(None, KeyboardInterrupt)
def killed_in_a_save(scene: Scene) -> None:
    def cut() -> NoReturn:
        raise KeyboardInterrupt

    scene.write(checkpoint, "0000006.safetensors", cut)


@row(r"stopped after step 7 of 8, which is saved", errors.Interrupted, resumes=7)
def sigterm_in_a_save(scene: Scene) -> None:
    scene.write(checkpoint, "0000006.safetensors", lambda: signal.raise_signal(signal.SIGTERM))


@row(r"the loss is nan at step 5: step 4 is saved; try a lower", errors.ColdDiffError)
def loss_that_is_no_number(scene: Scene) -> None:
    scene.step(lambda _, number, loss: loss * (float("nan") if number == 5 else 1))


@row(r"weights are no longer finite at step 6: step 4 is saved", errors.ColdDiffError)
def weights_that_are_no_numbers(scene: Scene) -> None:
    def spoil(engine: Engine, number: int, loss: torch.Tensor) -> torch.Tensor:
        if number == 6:
            torch.nn.init.constant_(engine.network.get_parameter("head.bias"), float("inf"))
        return loss

    scene.step(spoil)


@row(r"unknown degradation 'gaussian-mask'", errors.UnknownComponentError)
def plugin_that_is_gone(scene: Scene) -> None:
    components = registry.Registry.components

    def without(self: registry.Registry, kind: str) -> list[Any]:
        return [item for item in components(self, kind) if item.name != "gaussian-mask"]

    scene.patch.setattr(registry.Registry, "components", without)


@row(r"0 of 0 files can be read as pictures", errors.DatasetError)
def pictures_that_are_gone(scene: Scene) -> Iterator[None]:
    aside = scene.pictures.with_name("aside")
    scene.pictures.rename(aside)
    scene.pictures.mkdir()
    yield
    scene.pictures.rmdir()
    aside.rename(scene.pictures)


@row(r"number of training images was \d+ and is \d+\. Go on with", errors.CheckpointError)
def pictures_that_came_later(scene: Scene) -> Iterator[None]:
    added = [scene.pictures / f"more-{k}.png" for k in range(9)]
    for path in added:
        shutil.copy(scene.pictures / "0.png", path)
    yield
    for path in added:
        path.unlink()


@row(r"SHA-256 of the training images was '\w+' and is '\w+'\. Go on", errors.CheckpointError)
def pictures_that_were_replaced(scene: Scene) -> Iterator[None]:
    """As many as before, of the same size and under the same names."""
    paths = [scene.pictures / f"{k}.png" for k in range(12)]
    before = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(before), strict=True):
        path.write_bytes(content)
    yield
    for path, content in zip(paths, before, strict=True):
        path.write_bytes(content)


@row(r"train.lr was 0.002 and is 0.1\. Go on with the recipe as it was", errors.CheckpointError)
def another_recipe(scene: Scene) -> Iterator[None]:
    scene.more = ("train.lr=0.1",)
    yield
    scene.more = ()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`whole`, a run that nothing happened to, and `dead`, one that died."""
    folder = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        scene = Scene(folder / "dead", folder / "pictures", patch)

        def die(line: metrics.TrainingStep) -> None:
            if line.step == 5:
                raise KeyboardInterrupt

        train(scene.recipe, folder / "whole")
        with pytest.raises(KeyboardInterrupt):
            train(scene.recipe, scene.run, on_log=die)
    return folder


@pytest.mark.parametrize(("cause", "message", "error", "resumes"), ROWS)
def test_nothing_is_lost(
    cause: Cause,
    message: str | None,
    error: type[BaseException] | None,
    resumes: int,
    stage: Path,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    shutil.copytree(stage / "dead", tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        scene = Scene(tmp_path / "run", stage / "pictures", patch)
        happening = cause(scene)
        if happening is not None:
            next(happening)
        try:
            if error is None:
                train(scene.recipe, scene.run)
                told = "\n".join(r.getMessage() for r in caplog.records if r.levelno > logging.INFO)
                assert re.search(message, told) if message else not told
            else:
                with pytest.raises(error, match=message) as ended:
                    train(scene.recipe, scene.run)
                assert ended.type is error
                assert not (scene.run / "recipe.toml").exists()
        finally:
            for _ in happening or ():
                pass
    if error is not None:
        train(scene.recipe, scene.run)
    whole = stage / "whole"
    assert model(scene.run) == model(whole)
    provenance = json.loads((scene.run / "provenance.json").read_text())
    assert provenance["training"]["resumed_at"][-1] == resumes
    steps = [line["step"] for line in metrics.read_lines(scene.run)]
    assert steps[-3:] == [6, 7, 8]
    assert steps == sorted(set(steps))
    assert not [path for path in scene.run.rglob(".*") if path.is_file()]


def model(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("model.safetensors", "recipe.toml")]


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def swap(one: Path, other: Path) -> None:
    spare = one.with_name("spare")
    one.rename(spare)
    other.rename(one)
    spare.rename(other)


def no_space() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def size_limit(size: int) -> Iterator[None]:
    """Let the system end each write of a file at `size` bytes, as a full disk does somewhere."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
