"""A component's signature is its schema."""

from pathlib import Path
from typing import Literal

import pytest
import torch

from colddiff_core.contracts.errors import ParameterError, PluginError
from colddiff_core.registry.schema import Parameters, argument_help


class Fog:
    """Fog.

    Args:
        image_shape: (C, H, W).
        density: optical thickness,
            per pixel.
        mode: how.
        steps: levels.

    Raises:
        ParameterError: never.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        density: float = 0.5,
        mode: Literal["thin", "thick"] = "thin",
        steps: tuple[int, ...] = (1, 2),
        folder: Path | None = None,
    ) -> None: ...


def check(**params: object) -> dict[str, object]:
    return Parameters.of(Fog).validate({"image_shape": [1, 8, 8], **params}, where="fog")


def test_defaults_are_filled_in_and_lists_become_tuples() -> None:
    assert check(density=1, folder="/data") == {
        "image_shape": (1, 8, 8),
        "density": 1.0,
        "mode": "thin",
        "steps": (1, 2),
        "folder": Path("/data"),
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"densty": 1.0}, "fog: unknown parameter 'densty'; did you mean 'density'?"),
        ({"DENSITY": 1.0}, "fog: unknown parameter 'DENSITY'; did you mean 'density'?"),
        ({"density": "1.0"}, "fog: density: input should be a valid number, got '1.0'"),
        ({"density": True}, "fog: density: input should be a valid number, got True"),
        ({"density": float("nan")}, "fog: density: input should be a finite number, got nan"),
        ({"mode": "dense"}, "fog: mode: input should be 'thin' or 'thick', got 'dense'"),
        ({"steps": [1, 2.5]}, "fog: steps.1: input should be a valid integer"),
        ({"image_shape": [1, 8]}, "fog: parameter 'image_shape.2' is missing"),
    ],
)
def test_errors_name_the_field_what_was_expected_and_what_came(
    params: dict[str, object], message: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        check(**params)
    assert str(caught.value).startswith(message)


def test_what_is_all_wrong_is_told_in_a_line_that_can_be_read() -> None:
    with pytest.raises(ParameterError, match="and 995 faults more") as caught:
        check(**{f"{k}" * 1000: k for k in range(1000)})
    assert len(str(caught.value)) < 1000


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(ParameterError, match="parameter 'image_shape' is missing"):
        Parameters.of(Fog).validate({}, where="fog")


def test_a_value_that_a_recipe_cannot_hold_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"fog: .*Tensor"):
        check(density=torch.zeros(1))


def test_only_keyword_arguments_come_from_recipes() -> None:
    parameters = Parameters.of(Fog)
    assert parameters.from_recipe == ("density", "mode", "steps", "folder")
    assert parameters.as_toml(check()) == {"density": 0.5, "mode": "thin", "steps": [1, 2]}


def test_help_comes_from_the_docstring() -> None:
    assert argument_help(Fog) == {
        "image_shape": "(C, H, W).",
        "density": "optical thickness, per pixel.",
        "mode": "how.",
        "steps": "levels.",
    }
    properties = Parameters.of(Fog).model.model_json_schema()["properties"]
    assert properties["density"]["description"] == "optical thickness, per pixel."


def test_a_signature_that_is_no_schema_blames_the_plugin() -> None:
    class Untyped:
        def __init__(self, *, density=1.0) -> None: ...  # type: ignore[no-untyped-def]

    class Anything:
        def __init__(self, **kwargs: float) -> None: ...

    for cls in (Untyped, Anything):
        with pytest.raises(PluginError, match=cls.__name__):
            Parameters.of(cls)
