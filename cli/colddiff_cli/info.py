"""`colddiff info`: what a model folder or an exported file says about itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from colddiff_cli.console import show_json, show_table
from colddiff_cli.options import AnyModel, Json
from colddiff_core.restoration.opening import describe_model


def info(model: AnyModel, as_json: Json = False) -> None:
    """Print recipe, schedule, versions and training figures; nothing is run.

    Example: `colddiff info digits.onnx`
    """
    facts = describe_model(model)
    if as_json:
        show_json({"path": str(model), **facts})
    else:
        show_table(list(_rows(facts)))


def _rows(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for item in value:
                yield f"{prefix}{name}", "  ".join(str(part) for part in item.values())
        elif value not in ("", None):
            yield f"{prefix}{name}", _short(value)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
