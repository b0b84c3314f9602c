"""Recipes: reading, overriding, writing."""

from pathlib import Path

import pytest

from colddiff_core.contracts.errors import RecipeError
from colddiff_core.models.recipe import (
    load_recipe,
    packaged_recipes,
    parse_assignment,
    parse_recipe,
)

MINIMAL = """
[degradation]
name = "gaussian-blur"
std = 1.5

[restorer]
name = "unet"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    return path


def test_a_recipe_survives_being_written(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.degradation.params == {"std": 1.5}
    assert recipe.sampler.name == "improved"
    path.write_text(recipe.to_toml())
    assert load_recipe(path) == recipe


@pytest.mark.parametrize("name", packaged_recipes())
def test_packaged_recipes_load_by_name_and_say_what_they_are(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.summary
    assert recipe.source
    assert recipe.data is not None


def test_overrides_are_toml_or_else_strings(path: Path) -> None:
    recipe = load_recipe(
        path,
        ["train.steps=7", "train.lr = 1e-4", "degradation.padding=reflect", "data.name=folder"],
    )
    assert (recipe.train.steps, recipe.train.lr) == (7, 1e-4)
    assert recipe.degradation.params == {"std": 1.5, "padding": "reflect"}
    assert recipe.data is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", ("a", 1)),
        ("a = [1, 2]", ("a", [1, 2])),
        ("a=b=c", ("a", "b=c")),
        ("a=", ("a", "")),
        ("a=1\nb=2", ("a", "1\nb=2")),
    ],
)
def test_assignments(text: str, expected: tuple[str, object]) -> None:
    assert parse_assignment(text) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("train.compile=True", "train.compile=true"),
        ("a = False", "a=false"),
        ("train.lr=.001", "train.lr=0.001"),
        ("train.lr=1.", "train.lr=1"),
        ("train.steps=007", "train.steps=7"),
        ("data.folder=~/x", f"data.folder={Path.home()}/x"),
    ],
)
def test_what_toml_spells_otherwise_is_told(text: str, meant: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_assignment(text)
    assert str(caught.value).endswith(f": write --set {meant}")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stepz=1", "unknown parameter 'train.stepz'; did you mean 'steps'?"),
        ("trian.steps=1", "unknown parameter 'trian'; did you mean 'train'?"),
        ("train.steps=0", "train.steps: input should be greater than or equal to 1, got 0"),
        ("train.steps=x", "train.steps: input should be a valid integer, got 'x'"),
        ("train.steps.x=1", "got {'x': 1}"),
        ("summary.x=1", "'summary' is not a table"),
        ("steps", "expected key=value"),
    ],
)
def test_what_does_not_fit_is_named(path: Path, override: str, message: str) -> None:
    path.write_text('summary = "s"\n' + MINIMAL)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, [override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = [", "not a TOML file"),
        (b"\xff\xfe", "not a TOML file"),
        (b"a = " + b"[" * 50_000, "not a TOML file"),
        (b"# " + b"x" * 1_000_001, "larger than 1,000,000 bytes"),
        (b"", "parameter 'degradation' is missing"),
    ],
)
def test_a_hostile_file_is_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_a_byte_order_mark_is_no_fault(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load_recipe(path).degradation.name == "gaussian-blur"


def test_a_missing_recipe_suggests_a_name() -> None:
    with pytest.raises(RecipeError, match=r"did you mean 'mnist-demo'\?"):
        load_recipe("mnist-demmo")
    with pytest.raises(RecipeError, match="No such file"):
        load_recipe("missing.toml")


def test_a_file_is_found_by_its_ending_and_told_without(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(RecipeError, match=r"no recipe 'mine'; for the file, write mine\.toml"):
        load_recipe("mine")
    path.rename("MINE.TOML")
    assert load_recipe("MINE.TOML").restorer.name == "unet"


def test_the_type_is_checked_wherever_the_table_comes_from() -> None:
    with pytest.raises(RecipeError, match="here: parameter 'restorer' is missing"):
        parse_recipe({"degradation": {"name": "x"}}, where="here")
