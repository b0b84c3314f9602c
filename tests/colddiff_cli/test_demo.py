"""What the demo may overwrite."""

from pathlib import Path

from colddiff_cli.demo import is_replaceable


def test_only_an_empty_folder_or_an_earlier_demo_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    assert is_replaceable(folder)
    (folder / "original").mkdir()
    (folder / "results.json").touch()
    assert not is_replaceable(folder)
    assert not is_replaceable(folder / "results.json")
    (folder / ".made-by-colddiff-demo").touch()
    assert is_replaceable(folder)
