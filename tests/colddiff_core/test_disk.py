"""Nobody sees half a file."""

import os
import time
from pathlib import Path

import pytest

from colddiff_core.contracts.errors import RecipeError, UsageError
from colddiff_core.disk import (
    atomic_path,
    open_regular,
    read_bounded,
    read_toml,
    write_atomically,
)


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


LONG = 400_000


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * LONG + " = 1",
        "[a" + ".a" * LONG + "]",
        "a" + ' . "a"' * (LONG // 3) + " = 1",
        """'='""" + ".'='" * (LONG // 3) + " = 1",
        "a = " + "[" * LONG,
        "a = " + "{a=" * (LONG // 2),
        "a = " + "[" * 60 + "]" * 60,
        "a = {" + "a" + ".a" * 60 + " = 1}",
        'b = """x"""\na' + ".a" * LONG + " = 1",
    ],
)
def test_tables_in_tables_are_bounded(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    began = time.perf_counter()
    with pytest.raises(RecipeError, match="more than 50 tables or arrays in one another"):
        read_toml(tmp_path / "x.toml")
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    "filler", ['"', "'", '"""', "'''", "\\", '"\\', "#a\n]", "[]", "{}", "a\n", '""', "\r"]
)
def test_whatever_is_read_takes_no_time(tmp_path: Path, filler: str) -> None:
    (tmp_path / "x.toml").write_text(filler * (900_000 // len(filler)))
    began = time.perf_counter()
    with pytest.raises(RecipeError, match="not a TOML file"):
        read_toml(tmp_path / "x.toml")
    assert time.perf_counter() - began < 3


def test_what_is_in_text_is_no_table(tmp_path: Path) -> None:
    dots, many = "." * 300, "[" * 300
    lines = [f'a = "{dots}\\"{many}"', f"b = '{dots}{many}'", f"# {dots}{many} '"]
    lines += [f'c = """{dots}"\n{many}"""', f"d = '''{many}\n'''", "e = [" + "0.5, " * 300 + "]"]
    (tmp_path / "x.toml").write_text("\n".join(lines), encoding="utf-8-sig")
    table = read_toml(tmp_path / "x.toml")
    assert list(table) == ["a", "b", "c", "d", "e"]
    assert table["a"] == f'{dots}"{many}'
