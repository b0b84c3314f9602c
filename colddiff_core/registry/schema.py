"""A component's signature is its schema: read it once, validate and describe with it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc, signature
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import to_json

from colddiff_core.contracts.errors import ParameterError, PluginError, UsageError, nearby, one_line

_Model = TypeVar("_Model", bound=BaseModel)

_CONFIG = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=(), validate_default=True
)

_MOST_FAULTS = 5  # that one message names


@dataclass(frozen=True)
class Parameters:
    """The parameters of a component class.

    Attributes:
        model: the pydantic model derived from the signature of `__init__`.
    """

    model: type[BaseModel]

    @property
    def from_recipe(self) -> tuple[str, ...]:
        """Names a recipe may set, the keyword-only ones.

        What comes from elsewhere, such as the image shape from the data set, is positional.
        """
        return _settable(self.model)

    @classmethod
    def of(cls, component: type) -> "Parameters":
        """Read the parameters off the signature and the docstring of `component`.

        Raises:
            PluginError: an argument is not typed, is `*args` or `**kwargs`, or is called `name`.
        """
        try:
            fields = dict(_fields(component))
            return cls(create_model(component.__name__, __config__=_CONFIG, **fields))
        except PluginError as error:
            raise PluginError(f"{component.__name__}: {error}") from None
        except Exception as error:  # types that pydantic or Python cannot make sense of
            raise PluginError(
                f"{component.__name__}: its arguments cannot be read as a schema: {one_line(error)}"
            ) from error

    def validate(self, params: Mapping[str, Any], *, where: str) -> dict[str, Any]:
        """Check `params` and fill in the defaults.

        Args:
            params: what the user gave. Values go by what TOML can say: a list is good for a
                tuple and a string for a path, but `"11"` is not good for an integer.
            where: begins the error message, e.g. `"degradation 'gaussian-blur'"`.

        Raises:
            ParameterError: names the field, what was expected, what came and the nearest name.
        """
        values = dict(validate_table(self.model, params, where=where, error=ParameterError))
        for name, field in self.model.model_fields.items():
            if values[name] is None and field.default is not None:
                raise ParameterError(f"{where}: {name}: None cannot be written into a recipe")
        return values

    def as_toml(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values a recipe can set, in the types of TOML, which knows no null."""
        return self.model.model_construct(**values).model_dump(mode="json", exclude_none=True)

    def describe(self) -> list[dict[str, Any]]:
        """One entry for each parameter a recipe can set: name, type, required, default, help."""
        properties = self.json_schema()["properties"]
        return [
            {
                "name": name,
                "type": _type_name(field.annotation),
                "required": field.is_required(),
                "default": properties[name].get("default"),
                "help": field.description or "",
            }
            for name, field in self.model.model_fields.items()
            if name in properties
        ]

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of what a recipe can set."""
        schema = self.model.model_json_schema(mode="serialization")  # leaves out what is excluded
        return {"properties": {}, "required": [], **schema}


def _fields(component: type) -> Iterator[tuple[str, Any]]:
    init: Callable[..., None] = component.__init__  # type: ignore[misc]
    if init is object.__init__:
        return
    hints, help_texts = get_type_hints(init, include_extras=True), argument_help(component)
    for argument in list(signature(init).parameters.values())[1:]:
        settable = argument.kind is argument.KEYWORD_ONLY
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise PluginError(f"{argument} cannot be read as a schema")
        if settable and argument.name == "name":
            raise PluginError(
                "a recipe cannot set an argument 'name': that key of its table names the "
                "component; call the argument something else"
            )
        if argument.name not in hints:
            raise PluginError(
                f"argument {argument.name} has no type; the types of the arguments are the "
                f"schema of a component's parameters"
            )
        hint = hints[argument.name]
        default = ... if argument.default is argument.empty else argument.default
        about = help_texts.get(argument.name)
        yield argument.name, (hint, Field(default, description=about, exclude=not settable))


def _settable(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(name for name, field in model.model_fields.items() if not field.exclude)


def _type_name(annotation: Any) -> str:
    """A type as its author wrote it: `int`, `float | None`, `"linear" | "cosine"`."""
    if get_origin(annotation) is Literal:
        return " | ".join(json.dumps(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(map(_type_name, get_args(annotation)))
    if isinstance(annotation, type) and not get_args(annotation):
        return "None" if annotation is NoneType else annotation.__name__
    return str(annotation).replace("typing.", "")


def validate_table(
    model: type[_Model], table: Mapping[str, Any], *, where: str, error: type[UsageError]
) -> _Model:
    """Validate a table as TOML would hold it, with errors for the person who wrote it.

    Strict validation in JSON mode: no conversions except those that TOML's few types need.
    """
    try:
        text = to_json(dict(table), inf_nan_mode="constants", fallback=_scalar)
        return model.model_validate_json(text)
    except ValidationError as invalid:
        faults = invalid.errors()
        told = [_describe(item, model) for item in faults[:_MOST_FAULTS]]
        if len(faults) > _MOST_FAULTS:
            told.append(f"and {len(faults) - _MOST_FAULTS:,} faults more")
        failure = error(f"{where}: {'; '.join(told)}")
        failure.fields = tuple(".".join(map(str, item["loc"])) for item in faults)
        raise failure from None
    except ValueError as invalid:  # a value that TOML has no word for, a tensor for example
        raise error(f"{where}: {invalid}") from None


def _scalar(value: Any) -> Any:
    """The Python number in a NumPy or torch scalar; nothing else is taken for a number."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    raise ValueError(f"a recipe cannot hold a {type(value).__name__}")


def _describe(item: Any, model: type[BaseModel]) -> str:
    *parents, last = item["loc"]
    field = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = _settable(_table_at(model, parents))
        hint = nearby(str(last), known, f"known: {', '.join(known) or '-'}")
        return f"unknown parameter {field!r:.80}; {hint}"
    if item["type"] == "missing":
        about = model.model_fields[last].description if not parents else None
        return f"parameter {field!r} is missing" + (f" ({about})" if about else "")
    expected = item["msg"][0].lower() + item["msg"][1:]
    return f"{field}: {expected}, got {item['input']!r:.80}"


def _table_at(model: type[BaseModel], path: list[Any]) -> type[BaseModel]:
    for name in path:
        field = model.model_fields.get(name)
        types = () if field is None else (field.annotation, *get_args(field.annotation))
        inner = [t for t in types if isinstance(t, type) and issubclass(t, BaseModel)]
        if not inner:
            return BaseModel
        model = inner[0]
    return model


def argument_help(component: type) -> dict[str, str]:
    """The texts of the `Args:` sections (Google style) of a class and its bases, by argument."""
    texts: dict[str, str] = {}
    for base in reversed(component.__mro__):
        texts |= _argument_help(cleandoc(base.__doc__ or ""))
    return texts


def _argument_help(doc: str) -> dict[str, str]:
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)+)", doc, re.MULTILINE)
    if not section:
        return {}
    entries = re.findall(
        r"^ {4}(\w+)(?: \([^)]*\))?:(.*(?:\n {5,}.*)*)", section.group(1), re.MULTILINE
    )
    return {name: " ".join(text.split()) for name, text in entries}
