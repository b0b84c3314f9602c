"""`colddiff reproduce`: the paper's tables, what it reports beside what one gets."""

from colddiff_cli.reproduce.command import reproduce

__all__ = ["reproduce"]
