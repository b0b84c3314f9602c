"""Where things are kept that can be made again."""

import sys
from pathlib import Path

import pytest

from colddiff_core.contracts.errors import UsageError
from colddiff_core.pictures.cache import cache_folder


def test_the_variable_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLDDIFF_CACHE", "here")
    assert cache_folder() == tmp_path / "here"
    assert not cache_folder().exists()  # asking makes nothing


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="has a standard of its own")
def test_else_the_standard_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLDDIFF_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "colddiff"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for unusable in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert cache_folder() == tmp_path / "home/.cache/colddiff"


@pytest.mark.skipif(sys.platform == "win32", reason="has a standard of its own")
def test_without_a_home_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    for name in ("COLDDIFF_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="set COLDDIFF_CACHE to a folder"):
        cache_folder()
