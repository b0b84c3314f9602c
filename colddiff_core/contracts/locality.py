"""How far a degradation reaches, which decides whether a large image can be restored in tiles."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Locality:
    """A tile of D(x, t) is D of the tile, but for a border.

    Attributes:
        reach: how many pixels away a pixel of D(x, T) still notably depends on x: the border.
        grid: tiles have to start at multiples of so many pixels.
    """

    reach: int
    grid: int = 1
