"""The paper's tables as they are built in."""

import pytest

from colddiff_cli.reproduce.paper import RestorationSet, table, tables
from colddiff_core import UsageError
from colddiff_core.evaluation.comparison import ROWS
from colddiff_core.models.recipe import load_recipe


def test_every_table_is_there() -> None:
    assert list(tables()) == ["table1", "table2", "table3", "generation"]
    with pytest.raises(UsageError, match="expected table1, table2, table3, generation; got 'x'"):
        table("x")


@pytest.mark.parametrize("name", ["table1", "table2", "table3"])
def test_restoration(name: str) -> None:
    kinds = {"table1": "gaussian-blur", "table2": "gaussian-mask", "table3": "pixelate"}
    for entry in table(name).sets.values():
        assert isinstance(entry, RestorationSet)
        assert load_recipe(entry.recipe).degradation.name == kinds[name]
        assert entry.published.keys() <= set(ROWS)
        for figures in entry.published.values():
            for figure, value in figures.items():
                assert 0 < value < {"fid": 500, "ssim": 1, "rmse": 0.3}[figure]
        assert "naive" not in entry.published  # the paper has no figures for Algorithm 1
        assert (
            entry.published["improved"]["rmse"] >= entry.published["direct"]["rmse"]
        )  # as the paper says itself


def test_generation() -> None:
    for entry in table("generation").sets.values():
        assert not isinstance(entry, RestorationSet)
        hot, cold = load_recipe(entry.hot), load_recipe(entry.cold)
        assert hot.degradation.name == "gaussian-noise"
        assert cold.prior is not None
        assert cold.prior.params["noise_std"] > 0
