"""What the page says."""

import pytest

from colddiff_cli.reproduce.page import changed, verdict


@pytest.mark.parametrize(
    ("naive", "improved", "expected"),
    [
        (0.3, 0.2, "Algorithm 2 is ahead of Algorithm 1: RMSE 0.200 against 0.300."),
        (0.2, 0.3, "Algorithm 2 is behind Algorithm 1: RMSE 0.300 against 0.200."),
        (None, 0.3, "The algorithms cannot be compared: what was restored is not finite."),
    ],
)
def test_the_verdict(naive: float | None, improved: float | None, expected: str) -> None:
    rows = {"naive": {"rmse": naive}, "improved": {"rmse": improved}}
    assert verdict({"evaluation": {"rows": rows}}) == expected


def test_every_setting_that_was_not_kept_is_listed() -> None:
    published = {"summary": "a", "train": {"lr": 1, "steps": 9}, "degradation": {"std": 2}}
    ours = {
        "summary": "b",
        "train": {"lr": 1, "steps": 5, "log_every": 3},
        "degradation": {"std": 2, "std_step": 0.5, "padding": "reflect"},
    }
    assert changed(published, ours) == [("train.steps", 9, 5)]
    assert changed(published, ours, ["degradation.std_step"]) == [
        ("train.steps", 9, 5),
        ("degradation.std_step", "default", 0.5),
    ]
