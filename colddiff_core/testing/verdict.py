"""How a check says that it failed, or does not apply."""


class CheckFailed(AssertionError):  # noqa: N818 - it fails as an assertion does
    """A component breaks a law; the message is for its author.

    Attributes:
        seed: of the input it was broken on, if that was drawn.
    """

    def __init__(self, message: str, seed: int | None = None) -> None:
        super().__init__(message)
        self.seed = seed


class CheckSkipped(Exception):  # noqa: N818 - it is no error
    """A check does not apply, and why."""
