"""The page on ONNX: what is to be written instead gives the same, and is exported."""

import math
import re

import pytest
import torch
from conftest import ROOT
from torch import Tensor
from torch.nn import functional

from colddiff_core import NO_CONTEXT, Context, Degradation
from colddiff_core.testing import check_component

PAGE = (ROOT / "docs/onnx.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \|", PAGE, re.MULTILINE)
K = torch.rand(5, 3, 3, generator=torch.Generator().manual_seed(0))


def value(code: str, x: Tensor, t: Tensor) -> Tensor:
    b, c, h, w = x.shape
    sizes = {"B": b, "C": c, "H": h, "W": w, "A": torch.eye(w) / 2}
    names = {"x": x, "y": x.flip(3), "t": t, "k": K, "F": functional, "torch": torch, "math": math}
    result: Tensor = eval(code, names | sizes)  # noqa: S307 - of our own page
    return result


def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(3, 1, 8, 8, generator=generator) * 4 - 2, torch.tensor([1, 4, 2])


@pytest.mark.parametrize(("before", "after"), ROWS, ids=[before[:30] for before, _ in ROWS])
def test_the_replacement_is_the_same(before: str, after: str) -> None:
    torch.testing.assert_close(value(after, *images()), value(before, *images()))


class All(Degradation):
    def __init__(self) -> None:
        super().__init__(4)

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        rounded = x0 + (x0.round() - x0).detach()
        # means, as not all are images
        means = [value(code, x0, t).flatten(1).mean(1) for _, code in ROWS]
        return x0 + 0.01 * (sum(means) + rounded.flatten(1).mean(1))[:, None, None, None]


def test_the_replacements_are_exported() -> None:
    assert len(ROWS) == 11
    (result,) = check_component(All, only=["exports_to_onnx"])
    assert (result.outcome, result.detail) == ("passed", "")
