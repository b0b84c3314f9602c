"""stub."""


def check() -> None:
    """x."""
