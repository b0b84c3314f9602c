"""Laws for components of every kind: what an author writes around the code."""

import inspect
import json
from functools import cache
from typing import Any

from colddiff_core.contracts.errors import ParameterError
from colddiff_core.registry.components import registry
from colddiff_core.registry.hookspecs import KINDS
from colddiff_core.registry.schema import Parameters
from colddiff_core.testing.check import check, one_line
from colddiff_core.testing.fresh import run_python
from colddiff_core.testing.subject import LARGER, SHAPED, SMALL, Subject
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped

GIVEN = {"restorer": 1, "prior": 1, "dataset": 1}
"""How many arguments come from elsewhere than a recipe: the image shape, or the split."""

HEAVY = (
    *("torch", "numpy", "scipy", "onnx", "onnxruntime", "PIL", "cv2", "skimage", "sklearn"),
    *("pandas", "matplotlib", "tensorflow", "jax", "torchvision", "transformers"),
)
"""Packages that must not be imported to list plugins."""

_IMPORT = """
import contextlib, importlib, io, json, sys
from importlib.metadata import EntryPoint
from colddiff_core.registry.discovery import load_plugin
before = set(sys.modules)
with contextlib.redirect_stdout(io.StringIO()) as printed:
    importlib.import_module(sys.argv[1])
    load_plugin(EntryPoint("checked", sys.argv[1], "colddiff"))  # calls its hooks
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps({"printed": printed.getvalue(), "heavy": sorted(new & set(sys.argv[2:]))}))
"""


@check(*KINDS, essential=True)
def loads(subject: Subject) -> None:
    """The target is imported, and is a class of its kind."""
    cls = subject.item.load()
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))  # type: ignore[attr-defined]
        raise CheckFailed(f"{cls.__name__} does not implement {missing}")


@check(*KINDS)
def parameters_documented(subject: Subject) -> None:
    """Every parameter has a type, can be set by a recipe, and has a text under `Args:`.

    Put * before the parameters in the signature of __init__, and a line 'parameter: …' for each
    under 'Args:' in the docstring of the class.
    """
    cls, parameters = subject.cls, Parameters.of(subject.cls)
    given = list(parameters.model.model_fields)[: GIVEN.get(subject.kind, 0)]
    for name, field in parameters.model.model_fields.items():
        if name not in parameters.from_recipe and name not in given:
            raise CheckFailed(f"a recipe cannot set {name!r}, because it is positional")
        if not field.description:
            raise CheckFailed(f"{name!r} is not explained in the docstring of {cls.__name__}")
    parameters.model.model_json_schema()


@check(*KINDS)
def imports_lightly(subject: Subject) -> None:
    """The plugin's module imports no heavy package and prints nothing: listing plugins is quick.

    Keep the hooks in a module that imports only Component and hookimpl, and name the class by its
    target, 'package.module:Class'; results alone go to standard output.
    """
    module = subject.item.module
    if not module:
        raise CheckSkipped(f"{subject.item.identity} is not registered by a plugin")
    answer = _imported(module)
    if answer["heavy"]:
        heavy = ", ".join(answer["heavy"])
        raise CheckFailed(f"{module}, which the entry point names, imports {heavy}")
    if answer["printed"]:
        raise CheckFailed(f"importing {module} prints {answer['printed'][:80]!r}")


@check(*KINDS, essential=True)
def builds(subject: Subject) -> None:
    """It is built with these parameters, and refuses a size it cannot take by ParameterError.

    Pass image_shape on to super().__init__ as it is.
    """
    subject.need_params()
    if subject.kind not in (*SHAPED, "degradation"):
        subject.build()
        return
    refusals = []
    for shape in (*SMALL, *LARGER):
        try:
            part = subject.build(shape)
        except ParameterError as error:
            refusals.append(one_line(error))
            continue
        except Exception as error:
            raise CheckFailed(
                f"image_shape={shape}: {one_line(error)}. A size that it cannot take is refused "
                f"with ParameterError"
            ) from error
        if subject.kind in SHAPED and tuple(part.image_shape) != shape:
            raise CheckFailed(f"built for images of {shape}, its image_shape is {part.image_shape}")
    if len(refusals) == len([*SMALL, *LARGER]):
        raise CheckFailed(f"refused for every image shape, {[*SMALL, *LARGER]}: {refusals[0]}")


@check(*KINDS)
def parameters_round_trip(subject: Subject) -> None:
    """The parameters that a recipe stores are all that decides how it is built."""
    config = subject.build().config
    stored = dict(config.params)
    again = registry().build(subject.kind, config.name, **stored, **subject.given)
    if again.config.params != stored:
        changed = [key for key, value in stored.items() if again.config.params.get(key) != value]
        raise CheckFailed(f"{', '.join(changed)}: changed on the way through a recipe")


@cache
def _imported(module: str) -> Any:
    """What a fresh interpreter tells of a plugin's module, once for all that it brings."""
    return json.loads(run_python(_IMPORT, module, *HEAVY))
