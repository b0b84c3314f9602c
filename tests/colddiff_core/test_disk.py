"""Nobody sees half a file."""

import os
from pathlib import Path

import pytest

from colddiff_core.contracts.errors import UsageError
from colddiff_core.disk import atomic_path, open_regular, read_bounded, write_atomically


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "x"
    write_atomically(target, "before")

    def fail() -> None:
        with atomic_path(target) as part:
            part.write_text("half of")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_folders_are_made_and_permissions_are_ordinary(tmp_path: Path) -> None:
    target, plain = tmp_path / "a" / "b" / "x", tmp_path / "plain"
    write_atomically(target, b"after")
    plain.touch()
    assert target.read_bytes() == b"after"
    assert target.stat().st_mode == plain.stat().st_mode


def test_what_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "x", "")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomically(tmp_path / "folder", "")


def test_a_bounded_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("x")
    assert read_bounded(tmp_path / "link", 5) == b"12345"
    with open_regular(tmp_path / "x", 5) as file:
        assert file.read(2) == b"12"
    with pytest.raises(OSError, match="larger than 4 bytes, the limit for it"):
        read_bounded(tmp_path / "x", 4)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes")
def test_a_pipe_a_device_or_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, why in {"pipe": "not a reg", "zero": "not a reg", ".": "Is a", "y": "No su"}.items():
        with pytest.raises(OSError, match=why):
            open_regular(tmp_path / name, 9)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no files without a size")
def test_a_file_that_says_it_is_empty_is_bounded() -> None:
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_bounded(Path("/proc/self/maps"), 10)
