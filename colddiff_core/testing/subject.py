"""What is checked: a component with one set of parameters."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from colddiff_core.contracts.component import Buildable
from colddiff_core.contracts.errors import PluginError, UnknownComponentError, UsageError
from colddiff_core.registry.components import Registered, base_class, registry
from colddiff_core.registry.hookspecs import KINDS, Component
from colddiff_core.testing.verdict import CheckSkipped

ImageShape = tuple[int, int, int]

SMALL: tuple[ImageShape, ...] = ((3, 16, 16), (3, 16, 24), (1, 16, 16))
"""Image shapes (C, H, W) that are tried: a square, a rectangle, and grey."""

LARGER: tuple[ImageShape, ...] = ((3, 64, 64), (1, 64, 64))
"""Tried where a component refuses all small ones."""

UNREGISTERED = "unregistered"
"""The distribution of a class that no plugin brings."""

SHAPED = ("restorer", "prior")
"""Kinds that are built for an image shape; a degradation is asked whether it takes one."""

Target = type[Buildable] | Registered | str
"""A component class, a registered component, or its name: `"fog"`, `"fog@colddiff-fog"` or, where
two kinds know that name, `"degradation:fog"`."""


@dataclass(frozen=True)
class Subject:
    """A component and one set of parameters; see `Subject.of`.

    Attributes:
        item: what is checked.
        params: the parameters of this case, as a recipe would set them.
        folder: for the files of the check; it is gone afterwards.
    """

    item: Registered
    params: Mapping[str, Any]
    folder: Path

    @classmethod
    @contextmanager
    def of(cls, target: Target, params: Mapping[str, Any] | None = None) -> Iterator["Subject"]:
        """Make a subject, which holds while the context does.

        Args:
            target: what is to be checked.
            params: go before those of the component's own `example_params`.

        Raises:
            UsageError: no component, or more than one, is meant by `target`.
        """
        item = resolve(target)
        # model folders and exported files can name it though no plugin brings it
        findable = registry().including(item) if isinstance(item, _Unregistered) else nullcontext()
        with TemporaryDirectory(prefix="colddiff-check-") as folder, findable:
            yield cls(item, params or {}, Path(folder))

    @property
    def kind(self) -> str:
        """Of the component."""
        return self.item.kind

    @cached_property
    def cls(self) -> type[Buildable]:
        """The class of the component."""
        try:
            return self.item.load()
        except PluginError:
            raise CheckSkipped("it does not load; see the check `loads`") from None

    @cached_property
    def all_params(self) -> Mapping[str, Any]:
        """`params`, and what the component says a check needs."""
        files = self.folder / "example"
        files.mkdir(exist_ok=True)
        return {**self.cls.example_params(files), **self.params}

    def build(self, shape: ImageShape | None = None, **given: Any) -> Any:
        """Make an instance as `build` does.

        Args:
            shape: (C, H, W) of the images it is for; the first usable when None.
            **given: arguments that are not for a recipe to set, or that replace parameters.

        Raises:
            CheckSkipped: a parameter has no default and was not given.
            ParameterError: it does not take such images.
        """
        self.need_params()
        if self.kind == "degradation":
            degradation = self.item.build(**{**self.all_params, **given})
            degradation.check(self.shapes[0] if shape is None else shape)
            return degradation
        elsewhere = self.given if shape is None else {"image_shape": shape}
        return self.item.build(**{**self.all_params, **elsewhere, **given})

    @property
    def given(self) -> Mapping[str, Any]:
        """The arguments that are not for a recipe to set: the first usable shape, or a split."""
        if self.kind in SHAPED:
            return {"image_shape": self.shapes[0]}
        return {"split": "train"} if self.kind == "dataset" else {}

    @cached_property
    def shapes(self) -> tuple[ImageShape, ...]:
        """The image shapes that it takes, at least one.

        Raises:
            CheckSkipped: it cannot be built; the check `builds` says why.
        """
        self.need_params()
        for tried in (SMALL, LARGER):
            accepted = tuple(shape for shape in tried if self._takes(shape))
            if accepted:
                return accepted
        raise CheckSkipped("it was not built; see the check `builds`")

    def need_params(self) -> None:
        """Make sure that every parameter has a value.

        Raises:
            CheckSkipped: a parameter has no default and was not given.
        """
        from colddiff_core.registry.schema import Parameters

        parameters = Parameters.of(self.cls)
        for name in parameters.from_recipe:
            if parameters.model.model_fields[name].is_required() and name not in self.all_params:
                raise CheckSkipped(
                    f"parameter {name!r} has no default: check it with one, or let "
                    f"{self.cls.__name__}.example_params return one"
                )

    def _takes(self, shape: ImageShape) -> bool:
        try:
            self.build(shape)
        except Exception:  # the check `builds` looks at what it is
            return False
        return True


def resolve(target: Target) -> Registered:
    """Find what is meant by `target`.

    Raises:
        UsageError: no component, or more than one, is meant.
    """
    if isinstance(target, Registered):
        return target
    if isinstance(target, str):
        return _by_name(target)
    for kind in KINDS:
        if isinstance(target, type) and issubclass(target, base_class(kind)):
            return _of_class(kind, target)
    raise UsageError(
        f"expected a component class, a registered component or its name, got {target!r:.80}"
    )


def case_label(params: Mapping[str, Any]) -> str:
    """`"num_steps=5,std=2"`, or `"defaults"`."""
    return ",".join(f"{name}={value}" for name, value in params.items()) or "defaults"


def _by_name(name: str) -> Registered:
    kind, colon, rest = name.partition(":")
    if colon:
        return registry().find(kind, rest)
    found, errors = [], []
    for kind in KINDS:
        try:
            found.append(registry().find(kind, name))
        except UnknownComponentError as error:
            errors.append(str(error))
    if len(found) > 1:
        choices = " or ".join(f"{item.kind}:{name}" for item in found)
        raise UsageError(f"{name!r} is the name of more than one component: write {choices}")
    if not found:
        told = [error for error in errors if "did you mean" in error or "ambiguous" in error]
        raise UnknownComponentError(
            "; ".join(told) or f"no component has the name {name!r}; see `colddiff plugins list`"
        )
    return found[0]


@dataclass(frozen=True)
class _Unregistered(Registered):
    """A class that no plugin brings."""

    cls: type[Buildable]

    def load(self) -> type[Buildable]:
        return self.cls


def _of_class(kind: str, cls: type[Buildable]) -> Registered:
    target = f"{cls.__module__}:{cls.__qualname__}"
    for item in registry().components(kind):
        if item.component.target == target:
            return item
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__.strip("_")).lower()
    component = Component(name, target, (cls.__doc__ or "").partition("\n")[0])
    return _Unregistered(kind, component, UNREGISTERED, "0", "", cls)
