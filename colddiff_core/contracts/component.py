"""What every built component carries: the words it was built from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar


@dataclass(frozen=True)
class ComponentConfig:
    """How a component was built, enough to write it into a recipe and to build it again.

    Attributes:
        kind: one of `colddiff_core.registry.hookspecs.KINDS`.
        name: the registered name.
        params: every parameter, defaults included, as TOML can say it.
        distribution: the distribution that registered it, with its version: `"colddiff==0.1.0"`.
        target: `"package.module:Class"`.
    """

    kind: str
    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    distribution: str = ""
    target: str = ""

    @property
    def provenance(self) -> str:
        """`dist:component==version`, as `provenance.json` records it."""
        distribution, _, version = self.distribution.partition("==")
        return f"{distribution}:{self.name.partition('@')[0]}=={version}"


class Buildable:
    """Base of everything that `build` makes."""

    config: ComponentConfig | None = None
    """Set by `build`; None for an object made by calling its class."""

    expected_failures: ClassVar[Mapping[str, str]] = {}
    """Checks of the conformance kit that it fails on purpose, each with the reason. They must fail:
    `colddiff plugins check` and the tests report one that passes."""

    @classmethod
    def example_params(cls, folder: Path) -> Mapping[str, Any]:
        """Parameters for a conformance check, where the defaults are not enough.

        Args:
            folder: an empty folder, for small files that the parameters name.
        """
        return {}


def name_of(part: object) -> str:
    """What messages call a component: the name it was built by, or its class."""
    config = getattr(part, "config", None)
    return config.name if isinstance(config, ComponentConfig) else type(part).__name__
