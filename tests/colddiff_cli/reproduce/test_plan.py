"""What is going to be done for a data set."""

import pytest

from colddiff_cli.reproduce.budget import Budget
from colddiff_cli.reproduce.plan import Request, reuse


@pytest.mark.parametrize(("asked", "taken"), [(None, 1000), (10, 10), (20_000, 1000)])
def test_fewer_images_than_asked_for_are_told(
    asked: int | None, taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    request = Request(Budget.parse("full"), None, asked, (), 0, "cpu")
    made = reuse("mnist-deblurring", request)
    assert made.count(made.dataset("test")) == taken
    told = capsys.readouterr().err
    assert ("--images 20000: there are 1000, all are taken" in told) == (asked == 20_000)
