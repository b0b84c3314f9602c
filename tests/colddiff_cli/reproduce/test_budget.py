"""What a budget affords."""

import pytest

from colddiff_cli.reproduce.budget import Budget, images_in, small, steps_in
from colddiff_core import UsageError
from colddiff_core.models.recipe import load_recipe


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("12m", "minutes", 12),
        ("1.5h", "minutes", 90),
        ("90 s", "minutes", 1.5),
        ("10 minutes", "minutes", 10),
        ("2000", "steps", 2000),
        ("300steps", "steps", 300),
        ("full", "full", 0),
    ],
)
def test_what_is_read(text: str, unit: str, amount: float) -> None:
    assert Budget.parse(text) == Budget(text, unit, amount)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "m", "0", "0m", "-5m", "1.5", "1.5steps", "12 parsecs", "1e3"]
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected minutes or hours"):
        Budget.parse(text)


def test_time_becomes_steps_and_images() -> None:
    assert steps_in(10, 64, 64) == 600
    assert steps_in(0.001, 1, 64) == 1
    assert images_in(1, 41 * 100 / 2 / 60, 41) == 100
    assert [images_in(m, 1000, 60) for m in (0, 0.1, 0.5, 1, 5)] == [50, 200, 1000, 2000, 10_000]


@pytest.mark.parametrize("recipe", ["mnist-deblurring", "cifar10-inpainting", "faces128-snow"])
def test_the_small_settings_fit_the_papers_recipes(recipe: str) -> None:
    found = load_recipe(recipe, small(20))
    assert found.train is not None
    assert (found.train.steps, found.train.warmup_steps) == (20, 2)
    assert found.degradation == load_recipe(recipe).degradation
