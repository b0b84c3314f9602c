"""What commands say on stderr of a model at work: where it computes, what levels it found."""

from pathlib import Path

from colddiff_cli.console import err
from colddiff_cli.plot import terminal_plot
from colddiff_core import FoundLevel, Model


def tell_device(model: Model) -> None:
    """Say what `--device auto` took."""
    err.print(f"colddiff: computing on {model.device}{model.note and f' ({model.note})'}")


def tell_level(path: Path, found: FoundLevel, num_steps: int, curve: bool) -> None:
    """Say what level was found, and how sure that is.

    Args:
        path: the picture.
        found: its level.
        num_steps: T.
        curve: draw the errors, too.
    """
    low, high = found.alike
    span = f" ({low} to {high} explain it about as well)" if low < high else ""
    err.print(
        f"{path}: level {found.level} of {num_steps}{span}, consistency error {found.error:.4f}"
    )
    if found.unlikely:
        what = "it does not look like anything that the model's degradation makes"
        err.print(f"colddiff: {path}: {what}", style="yellow")
    elif found.uncertain:
        what = "the level is uncertain; see --curve, and try others with --level"
        err.print(f"colddiff: {path}: {what}", style="yellow")
    if curve:
        width = max(20, min(err.width, 100) - 14)
        points = [(float(t), error) for t, error in found.curve.items()]
        err.print("consistency error", *terminal_plot(points, width=width), sep="\n")
