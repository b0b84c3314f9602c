"""Pictures from a zip file, which may be hostile."""

import io
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from colddiff_core import build
from colddiff_core.contracts.dataset import ImageDataset, Split
from colddiff_core.contracts.errors import DatasetError
from colddiff_plugins.datasets import zip as zips
from colddiff_plugins.datasets._pictures import decoded


def picture(tone: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((20, 30, 3), (tone, 0, 0), np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


GOOD = {f"set{k % 2}/{k:02}.png": picture(10 * k) for k in range(12)}


def load(file: Path, split: Split = "train", **params: object) -> ImageDataset:
    return build("dataset", "zip", split=split, file=file, image_size=8, **params)


def reds(file: Path) -> list[int]:
    both = [load(file, "train"), load(file, "test")]
    return sorted(int(red) for data in both for red in data.images(range(len(data)))[:, 0, 0, 0])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_it_is_the_folder_that_was_packed(tmp_path: Path, method: int) -> None:
    names = ["a.png", "a b.png", "a-b/x.png", "a/x.png", "B/z.png", "é/ö.png", "a/.h/q.png"]
    members = {name: picture(20 * k) for k, name in enumerate(names)} | GOOD
    for name, content in members.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    file = archive(tmp_path / "x.zip", dict(reversed(members.items())), method)
    for split in ("train", "test"):
        kwargs = {"split": split, "image_size": 8, "test_fraction": 0.4, "split_seed": 3}
        packed = build("dataset", "zip", file=file, **kwargs)
        folder = build("dataset", "folder", folder=tmp_path / "folder", **kwargs)
        assert len(packed) > 1
        assert torch.equal(packed.images(range(len(packed))), folder.images(range(len(folder))))


def test_what_is_hidden_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hidden = ("__MACOSX/set0/._00.png", ".DS_Store", "set0/.thumb/00.png", "empty/")
    members = GOOD | dict.fromkeys(hidden, b"hidden")
    assert reds(archive(tmp_path / "x.zip", members)) == [10 * k for k in range(12)]
    assert caplog.messages == []


def flagged(content: bytes) -> bytes:
    """Say of the first member that it is encrypted, here and in the directory."""
    patched = bytearray(content)
    patched[6] |= 1
    patched[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(patched)


def lying(content: bytes) -> bytes:
    """Claim of the first member that it is small."""
    patched = bytearray(content)
    for place in (22, content.index(b"PK\x01\x02") + 24):
        patched[place : place + 4] = (50).to_bytes(4, "little")
    return bytes(patched)


def huge(content: bytes) -> bytes:
    """Claim of the first member that it is large."""
    patched = bytearray(content)
    for place in (22, content.index(b"PK\x01\x02") + 24):
        patched[place : place + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    return bytes(patched)


@pytest.mark.parametrize(
    ("name", "content", "method", "patch", "expected"),
    [
        ("!.txt", b"hello", zipfile.ZIP_STORED, bytes, "!.txt: not a picture that can be read"),
        ("!.png", picture(1), zipfile.ZIP_STORED, flagged, "!.png: encrypted"),
        ("!.png", picture(1), zipfile.ZIP_LZMA, bytes, "!.png: compressed by method 14; stored"),
        ("!.png", picture(1), zipfile.ZIP_BZIP2, bytes, "!.png: compressed by method 12; stored"),
        ("!.png", picture(1), zipfile.ZIP_DEFLATED, lying, "!.png: cannot be unpacked: Bad CRC"),
        ("!.png", picture(1), zipfile.ZIP_DEFLATED, huge, "!.png: holds more than 100,000,000"),
        ("../!.png", picture(1), zipfile.ZIP_STORED, bytes, "../!.png: a name that leads out"),
        ("/!.png", picture(1), zipfile.ZIP_STORED, bytes, "/!.png: a name that leads out"),
        ("!\\..\\!.png", picture(1), zipfile.ZIP_STORED, bytes, "a name that leads out"),
        ("C:\\!.png", picture(1), zipfile.ZIP_STORED, bytes, "a name that leads out"),
        ("!\x1b[2J\n.png", picture(1), zipfile.ZIP_STORED, bytes, r"!\x1b[2J\n.png: a name with"),
        (
            "!.png",
            picture(1),
            zipfile.ZIP_STORED,
            lambda content: content.replace(picture(1)[-16:], bytes(16)),
            "!.png: cannot be unpacked: Bad CRC-32",
        ),
        (
            "!.png",
            picture(1),
            zipfile.ZIP_STORED,
            lambda content: content[:30] + b"?" + content[31:],
            "!.png: cannot be unpacked: File name in directory",
        ),
    ],
)
def test_what_cannot_be_read_is_named_and_skipped(
    name: str,
    content: bytes,
    method: int,
    patch: Callable[[bytes], bytes],
    expected: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, content, method)
        for good, pixels in GOOD.items():
            file.writestr(good, pixels)
    path.write_bytes(patch(path.read_bytes()))
    assert reds(path) == [10 * k for k in range(12)]
    (message,) = caplog.messages
    assert message.startswith(f"skipped {tmp_path}/x.zip: ")
    assert expected in message
    assert message.isprintable()
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.zip"]  # nothing is unpacked


def test_the_second_of_a_name_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = archive(tmp_path / "x.zip", GOOD)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("set0/00.png", picture(255))
    assert reds(path) == [10 * k for k in range(12)]
    (message,) = caplog.messages
    assert message.endswith("set0/00.png: the name of more than one member")


def test_a_bomb_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(zips, "_MAX_BYTES", 50_000)
    path = archive(tmp_path / "x.zip", {"!.png": bytes(80_000_000)} | GOOD, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (60_000).to_bytes(4, "little")  # an honest size is not even opened
    monkeypatch.setattr(zips, "_fault", lambda _: None)
    path.write_bytes(content)
    read = []
    original = zipfile.ZipExtFile.read
    monkeypatch.setattr(
        zipfile.ZipExtFile, "read", lambda *args: read.append(original(*args)) or read[-1]
    )
    assert reds(path) == [10 * k for k in range(12)]
    assert caplog.messages[0].endswith("!.png: holds more than 50,000 bytes")
    assert max(map(len, read)) == 50_001


def test_a_directory_of_any_length_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "x.zip", {f"{k}.png": b"" for k in range(2_000)})
    monkeypatch.setattr(zips, "_MAX_BYTES", 50_000)
    with pytest.raises(DatasetError, match="a directory of more than 50,000 bytes"):
        load(path)


def test_bytes_in_front_change_nothing(tmp_path: Path) -> None:
    """One parser reads an archive, and it reads the same members whatever is in front."""
    path = archive(tmp_path / "x.zip", GOOD)
    other = archive(tmp_path / "y.zip", {"other.png": picture(255)})
    path.write_bytes(other.read_bytes() + path.read_bytes())
    assert reds(path) == [10 * k for k in range(12)]


def test_what_is_no_zip_file_is_an_error(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", GOOD)
    for length in (0, 10, len(path.read_bytes()) - 30):
        (tmp_path / "y.zip").write_bytes(path.read_bytes()[:length])
        with pytest.raises(DatasetError, match=r"y\.zip: not a zip file that can be read"):
            load(tmp_path / "y.zip")
    with pytest.raises(DatasetError, match=r"nowhere\.zip: No such file"):
        load(tmp_path / "nowhere.zip")
    with pytest.raises(DatasetError, match='instead of the file, write name = "folder" and fold'):
        load(tmp_path)
    (tmp_path / "zero.zip").symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match=r"zero\.zip: not a regular file"):
        load(tmp_path / "zero.zip")
    with pytest.raises(DatasetError, match="1 of 2 files can be read as pictures; at least 2"):
        load(archive(tmp_path / "z.zip", {"a.png": picture(1), "b.png": b""}))


def test_an_archive_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    source = zips.ZipSource.of(archive(tmp_path / "x.zip", GOOD), 3)
    archive(tmp_path / "x.zip", {"other.png": picture(1)})
    with pytest.raises(DatasetError, match="changes while it is read"):
        decoded(source, 8)


def test_a_mended_archive_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    many = GOOD | {f"{k}.png": picture(k) for k in range(100)}  # enough for the cache
    path = archive(tmp_path / "x.zip", many)
    content = path.read_bytes()
    path.write_bytes(content.replace(picture(7)[-16:], bytes(16)))
    assert len(load(path)) + len(load(path, "test")) == 111
    path.write_bytes(content)  # the same names, sizes and checksums in the directory
    assert len(load(path)) + len(load(path, "test")) == 112
    assert len(caplog.messages) == 1


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_damaged_there_is_no_traceback(tmp_path: Path, data: st.DataObject) -> None:
    logging.disable(logging.WARNING)
    few = {name: GOOD[name] for name in list(GOOD)[:3]}
    content = bytearray(archive(tmp_path / "x.zip", few, zipfile.ZIP_DEFLATED).read_bytes())
    places = st.integers(0, len(content) - 1)
    for at in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    start, stop = data.draw(places), data.draw(places)
    if data.draw(st.booleans()):
        del content[start:stop]
    (tmp_path / "x.zip").write_bytes(content)
    try:
        assert len(load(tmp_path / "x.zip")) >= 1
    except DatasetError:
        pass
    finally:
        logging.disable(logging.NOTSET)
