"""Templates of what is written for people: a report, a drawing of curves."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("colddiff_cli", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def rendered(name: str, **content: Any) -> str:
    """The text of a template; all content is escaped."""
    return _environment().get_template(name).render(**content)
