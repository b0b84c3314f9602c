"""The .pt2 file: agrees with torch, and is judged before torch trusts it."""

import io
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import tiny_process

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ColdDiffError, ModelFileError, UsageError
from colddiff_exporters.torch_export.archive import read_archive
from colddiff_exporters.torch_export.runtime import TorchSampler

Made = tuple[ColdDiffusion, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    process = tiny_process("snow", shape=(3, 8, 8), num_steps=3)
    path = tmp_path_factory.mktemp("pt2") / "m.pt2"
    report = build("exporter", "torch-export").export(process, path)
    assert len(report.checks) == 3
    assert report.max_error < 1e-6
    return process, path


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("levels", [(3, 2, 1, 0), (2, 0)])
def test_the_file_agrees_with_torch(made: Made, batch: int, levels: tuple[int, ...]) -> None:
    process, path = made
    draws = torch.Generator().manual_seed(0)
    x0 = torch.rand(batch, 3, 8, 8, generator=draws) * 2 - 1
    context = process.degradation.sample_context(x0, draws)
    arrays = {name: value.numpy() for name, value in context.items()}
    found = build("exporter", "torch-export").open(path, device="cpu")
    np.testing.assert_allclose(
        found.restore(x0.numpy(), levels, arrays),
        process.restore(x0, levels, context).numpy(),
        atol=1e-6,
    )


def test_it_explains_itself_and_names_no_place(made: Made) -> None:
    facts = build("exporter", "torch-export").describe(made[1])
    assert (facts["num_steps"], facts["image_shape"]) == (3, [3, 8, 8])
    assert str(Path(__file__).parent.parent.parent).encode() not in made[1].read_bytes()


def test_misuse_is_explained(made: Made) -> None:
    sampler = TorchSampler(made[1], device="cpu")
    with pytest.raises(UsageError, match=r"expected \(batch, 3, height, width\)"):
        sampler.restore(np.zeros((1, 1, 8, 8), np.float32))
    with pytest.raises(UsageError, match="do not fit the file"):
        sampler.restore(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(UsageError, match="device: expected auto, cpu"):
        TorchSampler(made[1], device="tpu")


class Evil:
    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('the pickle ran')",))


def edited(path: Path, edit: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def in_json(ending: str, old: str, new: str) -> Callable[[dict[str, bytes]], None]:
    def edit(members: dict[str, bytes]) -> None:
        (name,) = (name for name in members if name.endswith(ending))
        changed = members[name].decode().replace(old, new, 1)
        assert changed != members[name].decode()
        members[name] = changed.encode()

    return edit


def add(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    def edit(members: dict[str, bytes]) -> None:
        root = next(iter(members)).partition("/")[0]
        members[f"{root}/{name}"] = data

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (in_json("model.json", "torch.ops.aten.sigmoid.default", "torch.hub.load"), "an operator"),
        (
            in_json(
                "model.json", "torch.ops.aten.sigmoid.default", "torch.ops.aten.from_file.default"
            ),
            "an operator",
        ),
        (in_json("model.json", "Symbol('s", "__import__('os').system('s"), "an expression"),
        (in_json("model.json", '"guards_code": []', '"guards_code": ["evil()"]'), "guards"),
        (in_json("weights_config.json", '"use_pickle": false', '"use_pickle": true'), "a pickle"),
        (in_json("weights_config.json", '"weight_0"', '"../../etc"'), "a pickle or an object"),
        (add("data/constants/custom_obj_0", b"x"), "a member"),
        (add("../evil", b"x"), "a member"),
        (in_json("colddiff.json", '"[3,8,8]"', '"[[["'), "damaged"),
    ],
)
def test_what_torch_would_trust_is_refused(
    made: Made, tmp_path: Path, edit: Callable[[dict[str, bytes]], None], message: str
) -> None:
    path = tmp_path / "hostile.pt2"
    path.write_bytes(edited(made[1], edit))
    with pytest.raises(ModelFileError, match=message):
        TorchSampler(path, device="cpu")


@pytest.mark.parametrize("place", ["before", "between", "as sample inputs"])
def test_torch_is_given_what_was_judged_alone(made: Made, tmp_path: Path, place: str) -> None:
    """Two readers may see two archives in one file, by the directory that each of them finds."""
    honest, evil = made[1].read_bytes(), pickle.dumps(Evil())
    hostile = edited(made[1], add("data/constants/custom_obj_0", evil))
    if place == "between":  # a second directory, with a comment that holds the end of the first
        directory = hostile[hostile.index(b"PK\x01\x02") :]
        honest = edited(made[1], lambda _: None)
        split = honest.index(b"PK\x01\x02")
        hostile, honest = b"", honest[:split] + directory + honest[split:]
    elif place == "as sample inputs":
        hostile, honest = b"", edited(made[1], add("data/sample_inputs/model.pt", evil))
    path = tmp_path / "two.pt2"
    path.write_bytes(hostile + honest)
    try:
        archive = read_archive(path)
    except ModelFileError:
        assert place == "between"  # the offsets do not fit: nothing is read at all
        return
    assert archive.content.startswith(b"PK\x03\x04")
    assert evil not in archive.content
    assert len(archive.content) < len(made[1].read_bytes()) + 1000
    assert TorchSampler(path, device="cpu").image_shape == (3, 8, 8)


def test_mutated_files_are_refused_or_right(made: Made, tmp_path: Path) -> None:
    whole = made[1].read_bytes()
    path, rng = tmp_path / "m.pt2", random.Random(0)  # noqa: S311 - repeatable, not secret
    refused = 0
    for _ in range(100):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 4, 20])):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        try:
            read_archive(path)
        except ColdDiffError:
            refused += 1
    assert refused > 60  # the rest hit padding between members
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match="not a usable"):
        read_archive(path)
