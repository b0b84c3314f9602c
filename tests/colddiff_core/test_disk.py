"""Nobody sees half a file."""

from pathlib import Path

import pytest

from colddiff_core.contracts.errors import UsageError
from colddiff_core.disk import atomic_path, write_atomically


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
