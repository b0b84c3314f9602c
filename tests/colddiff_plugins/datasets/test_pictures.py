"""Pictures are decoded once, and the next time come from the cache."""

import errno
import hashlib
import itertools
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from colddiff_core.contracts.errors import DatasetError, ImageError
from colddiff_core.pictures.reading import Picture
from colddiff_plugins.datasets import _pictures, _store
from colddiff_plugins.datasets._parts import part
from colddiff_plugins.datasets._pictures import Listed, Read, Source, decoded

COUNT = 130  # enough to be worth a file


@dataclass(frozen=True)
class Tones(Source):
    """Flat pictures; those listed as "bad…" cannot be read."""

    read: list[int] = field(default_factory=list, compare=False)

    @contextmanager
    def opened(self) -> Iterator[Read]:
        yield self._read

    def _read(self, number: int) -> Picture:
        self.read.append(number)
        item = self.listing[number]
        if item.name.startswith("bad"):
            raise ImageError(f"{item.name}: no picture")
        tone = int.from_bytes(hashlib.sha256(repr(item).encode()).digest()[:1], "big")
        notes = ("no name",) if item.name == "" else ()
        return Picture(np.full((4, 6, self.channels), tone, np.uint8), None, "", notes)


@pytest.fixture(autouse=True)
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache in which nothing is, and a process that has decoded nothing."""
    monkeypatch.setenv("COLDDIFF_CACHE", str(tmp_path / "cache"))
    decoded.cache_clear()
    yield tmp_path / "cache/pictures"
    decoded.cache_clear()


def tones(count: int = COUNT, stamp: str = "1", place: str = "tones") -> Tones:
    return Tones(place, tuple(Listed(f"{k}.png", stamp) for k in range(count)), 3)


def with_bad(*names: str) -> Tones:
    return Tones("tones", (*tones().listing[:50], *(Listed(name, "") for name in names)), 3)


def opened_again(source: Tones, size: int = 4) -> _pictures.Pictures:
    """As another process would."""
    decoded.cache_clear()
    source.read.clear()
    return decoded(source, size)


def test_pictures_are_decoded_once(entries: Path) -> None:
    first = tones()
    pictures = decoded(first, 4)
    assert sorted(first.read) == list(range(COUNT))
    assert pictures.names == tuple(f"{k}.png" for k in range(COUNT))
    assert (pictures.pixels.shape, pictures.pixels.dtype) == ((COUNT, 3, 4, 4), np.uint8)
    alone = [first._read(k).pixels[0, 0, 0] for k in range(COUNT)]
    assert pictures.pixels[:, 0, 0, 0].tolist() == alone
    again = opened_again(first)
    assert first.read == []
    assert np.array_equal(again.pixels, pictures.pixels)
    assert isinstance(again.pixels.base, np.memmap)  # not read into memory
    assert not again.pixels.flags.writeable
    assert sorted(path.suffix for path in entries.iterdir()) == [".json", ".u8"]


def test_few_pictures_leave_no_file(entries: Path) -> None:
    assert len(decoded(tones(12), 4).names) == 12
    assert not entries.exists()


@pytest.mark.parametrize("other", [{"stamp": "2"}, {"count": COUNT + 1}])
def test_what_has_changed_is_decoded_again(entries: Path, other: dict[str, object]) -> None:
    decoded(tones(), 4)
    decoded(tones(place="elsewhere"), 4)
    changed = tones(**other)  # type: ignore[arg-type]
    assert np.array_equal(
        decoded(changed, 4).pixels[7], changed._read(7).pixels[:4, :4].transpose(2, 0, 1)
    )
    assert len(list(entries.iterdir())) == 4  # that of the older listing is gone
    assert opened_again(changed).names == decoded(changed, 4).names
    assert changed.read == []


def test_another_limit_is_another_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    source = tones()
    decoded(source, 4)
    monkeypatch.setenv("COLDDIFF_MAX_PIXELS", "99000000")
    opened_again(source)
    assert len(source.read) == COUNT  # what was over the limit may not be any more


def test_another_size_is_another_entry() -> None:
    source = tones()
    assert decoded(source, 4).pixels.shape[2:] == (4, 4)
    assert decoded(source, 5).pixels.shape[2:] == (5, 5)
    assert opened_again(source, 4).pixels.shape[2:] == (4, 4)
    assert source.read == []


def flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("ending", "damage"),
    [
        (".u8", flip),
        (".u8", lambda content: content[:-1]),
        (".u8", lambda _: b""),
        (".u8", lambda content: content + b"x"),
        (".json", lambda _: b""),
        (".json", lambda _: b"[]"),
        (".json", lambda content: content.replace(b"[50]", b"[51]")),
        (".json", lambda content: content.replace(b"[50]", b"[50,51]")),
    ],
)
def test_damage_is_noticed_and_mended(
    ending: str, damage: object, entries: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = Tones("tones", (*with_bad("bad").listing, *tones().listing[51:]), 3)
    expected = decoded(source, 4).pixels.copy()
    assert len(expected) == COUNT - 1
    (path,) = entries.glob(f"*{ending}")
    content = path.read_bytes()
    path.write_bytes(damage(content))  # type: ignore[operator]
    assert path.read_bytes() != content
    caplog.clear()
    again = opened_again(source)
    assert len(source.read) == COUNT
    assert again.names == tuple(item.name for item in source.listing if item.name != "bad")
    assert np.array_equal(again.pixels, expected)
    assert "damaged" in caplog.messages[0]
    opened_again(source)
    assert source.read == []


def test_a_cache_that_cannot_be_written_is_no_error(
    entries: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entries.parent.write_text("a file where the folder should be")
    assert len(decoded(tones(), 4).names) == COUNT
    (message,) = caplog.messages
    assert "cannot be written" in message
    assert "tones are kept in memory alone" in message


def test_a_full_disk_is_not_filled_further(
    entries: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_store.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    assert len(decoded(tones(), 4).names) == COUNT
    assert "set COLDDIFF_CACHE to a folder with more room" in caplog.messages[0]
    assert list(entries.iterdir()) == []


def test_what_is_skipped_is_named_each_time(caplog: pytest.LogCaptureFixture) -> None:
    source = with_bad(*(f"bad\x1b[2J{k}" for k in range(120)))
    for _ in range(2):
        caplog.clear()
        assert len(opened_again(source).names) == 50
        assert caplog.messages[0] == r"skipped bad\x1b[2J0: no picture"
        assert caplog.messages[100:] == ["skipped 20 more of tones"]
    assert source.read == []


def failing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the seventh picture fail with an error of the system."""
    read = Tones._read

    def fail(self: Tones, k: int) -> Picture:
        if k != 7:
            return read(self, k)
        error = ImageError(f"7.png: {os.strerror(number)}")
        error.__context__ = OSError(number, os.strerror(number))
        raise error

    monkeypatch.setattr(Tones, "_read", fail)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_a_disk_that_fails_for_a_moment_loses_no_picture_for_good(
    entries: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    source = tones()
    with monkeypatch.context() as patch:
        failing(patch, number)
        with pytest.raises(DatasetError, match=r"7\.png: .*nothing is wrong with the picture"):
            decoded(source, 4)
    assert list(entries.iterdir()) == []
    assert len(opened_again(source).names) == COUNT


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES, errno.EFBIG, errno.EOVERFLOW])
def test_an_error_that_stays_skips_the_picture(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    failing(monkeypatch, number)
    assert len(decoded(tones(), 4).names) == COUNT - 1
    assert caplog.messages == [f"skipped 7.png: {os.strerror(number)}"]


def test_what_is_not_in_the_pixels_is_said_each_time(caplog: pytest.LogCaptureFixture) -> None:
    source = Tones("tones", (*tones().listing, Listed("", "1"), Listed("", "2")), 3)
    for _ in range(2):
        caplog.clear()
        opened_again(source)
        assert caplog.messages == ["tones: 2 pictures: no name"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the platform has no named pipes")
@pytest.mark.parametrize("ending", [".u8", ".json"])
def test_an_entry_that_is_no_regular_file_is_made_again(entries: Path, ending: str) -> None:
    source = tones()
    decoded(source, 4)
    (path,) = entries.glob(f"*{ending}")
    for replace in (lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero")):
        path.unlink()
        replace()
        assert len(opened_again(source).names) == COUNT
        assert path.is_file()
        assert not path.is_symlink()


def test_nothing_readable_is_nothing() -> None:
    source = Tones("tones", tuple(Listed(f"bad{k}", "") for k in range(COUNT)), 1)
    for _ in range(2):
        assert opened_again(source).pixels.shape == (0, 1, 4, 4)


def test_long_decoding_is_announced(
    entries: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_pictures, "_WORTH_A_WORD", COUNT)
    source = tones()
    decoded(source, 4)
    assert caplog.messages == [f"tones: decoding 130 pictures, which are kept in {entries}"]
    assert caplog.records[0].levelno >= logging.WARNING  # which the command line shows
    opened_again(source)
    assert len(caplog.messages) == 1


def test_reading_is_never_far_ahead_of_writing() -> None:
    source = tones(5_000)
    batches = _pictures._batches(source, (5_000, 3, 4, 4))
    next(batches)
    batches.close()
    most = 2 * _pictures._MOST_THREADS + 2
    assert len(source.read) <= most * _pictures._BATCH


def test_processes_may_fill_the_cache_together(entries: Path) -> None:
    script = """
import hashlib, sys
from contextlib import contextmanager
import numpy as np
from colddiff_core.pictures.reading import Picture
from colddiff_plugins.datasets._pictures import Listed, Source, decoded

class Counted(Source):
    @contextmanager
    def opened(self):
        yield lambda k: Picture(np.full((16, 16, 1), k % 256, dtype=np.uint8), None, "", ())

listing = tuple(Listed(str(k), "") for k in range(2_000))
print("ready", flush=True)
sys.stdin.readline()
print(hashlib.sha256(decoded(Counted("counted", listing, 1), 16).pixels.tobytes()).hexdigest())
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{script}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=60)[0].strip() for process in both]
    pixels = np.arange(2_000).astype(np.uint8).repeat(256)
    assert ends == [hashlib.sha256(pixels.tobytes()).hexdigest()] * 2
    assert sorted(path.suffix for path in entries.iterdir()) == [".json", ".u8"]


names = st.lists(st.text(max_size=9), min_size=2, max_size=60, unique=True)


@given(names, st.floats(0.01, 0.99), st.integers(0, 9))
def test_each_picture_is_in_one_part(listed: list[str], fraction: float, seed: int) -> None:
    parts = [part(listed, split, fraction, seed) for split in ("train", "test")]
    assert sorted(itertools.chain(*parts)) == list(range(len(listed)))
    assert all(len(numbers) for numbers in parts)
    assert all(list(numbers) == sorted(numbers) for numbers in parts)


def test_parts_are_those_of_former_releases() -> None:
    listed = [f"set{k % 2}/{k:02}.png" for k in range(60)]
    held_out = [
        k
        for k, name in enumerate(listed)
        if int(hashlib.blake2b(f"5:{name}".encode(), digest_size=8).hexdigest(), 16) < 0.2 * 2**64
    ]
    assert 0 < len(held_out) < 60
    assert part(listed, "test", 0.2, 5).tolist() == held_out
    assert part(["a\udcff", "b"], "train", 0.2, 5).shape == (1,)  # a name that is no UTF-8
