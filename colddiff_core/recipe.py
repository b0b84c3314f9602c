"""Recipes: the TOML files that name data, degradation, restorer, sampler and training."""

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field

from colddiff_core.component import ComponentConfig
from colddiff_core.discovery import plugins
from colddiff_core.errors import ParameterError, RecipeError
from colddiff_core.registry import registry
from colddiff_core.schema import validate_table

MAX_BYTES = 1_000_000
"""Largest recipe file that is read."""

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class ComponentTable(BaseModel):
    """A table that names a component and sets its parameters, checked when it is built."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str

    @property
    def params(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.model_extra or {})

    @classmethod
    def of(cls, config: ComponentConfig) -> "ComponentTable":
        """The table that builds a component again."""
        return cls(name=config.name, **config.params)


class TrainTable(BaseModel):
    """`[train]`: how to train.

    Attributes:
        steps: optimizer steps.
        batch_size: images per step.
        lr: learning rate of AdamW at its highest.
        lr_schedule: fall to zero along a cosine, or stay constant, after the warm-up.
        warmup_steps: steps in which the learning rate rises from zero.
        weight_decay: of AdamW.
        quantize: round x_t to the 256 levels of a picture file before the restorer sees it, so
            that it learns to restore files; without, a deblurrer amplifies their rounding.
        clip_norm: largest norm of the gradient, which is scaled down to it; 0 for no limit.
        ema_decay: of the average of the weights, which is what a model folder holds.
        precision: of the network's arithmetic; the weights are kept in fp32 all the same.
        compile: let `torch.compile` make the network's code, which takes minutes and then pays.
        accumulate: parts that a batch is computed in, one after the other, where memory is short.
        seed: of every random draw.
        log_every: steps between two lines of `metrics.jsonl`.
        sample_every: steps between two sample grids; 0 for none.
        checkpoint_every: steps between two checkpoints; 0 for none but those at the end and when
            the run is stopped.
        keep_checkpoints: how many of them stay, the newest.
    """

    model_config = _STRICT

    steps: Annotated[int, Field(ge=1)] = 10_000
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    lr: Annotated[float, Field(gt=0)] = 1e-3
    lr_schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    quantize: bool = False
    clip_norm: Annotated[float, Field(ge=0)] = 0.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compile: bool = False
    accumulate: Annotated[int, Field(ge=1)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    log_every: Annotated[int, Field(ge=1)] = 10
    sample_every: Annotated[int, Field(ge=0)] = 1_000
    checkpoint_every: Annotated[int, Field(ge=0)] = 1_000
    keep_checkpoints: Annotated[int, Field(ge=1)] = 2


class Recipe(BaseModel):
    """A whole recipe.

    Attributes:
        summary: one line on what it is for.
        source: where it comes from, e.g. a table of the paper.
        image_shape: (C, H, W); comes from the data set, and stands in resolved recipes only.
        data: the data set; needed to train.
        degradation: D.
        restorer: R.
        sampler: the sampler that `restore` uses unless told otherwise.
        prior: what generation starts from, if the model is to generate.
        train: how to train; the defaults of `TrainTable` when None.
    """

    model_config = _STRICT

    summary: str = ""
    source: str = ""
    image_shape: tuple[int, int, int] | None = None
    data: ComponentTable | None = None
    degradation: ComponentTable
    restorer: ComponentTable
    sampler: ComponentTable = ComponentTable(name="improved")
    prior: ComponentTable | None = None
    train: TrainTable | None = None

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, where: str) -> "Recipe":
        """Check a parsed TOML document.

        Raises:
            RecipeError: names the key, what was expected, what came and the nearest valid name.
        """
        checked = validate_table(cls, table, where=where, error=RecipeError)
        assert isinstance(checked, Recipe)  # noqa: S101 - for the type checker
        return checked

    def to_toml(self) -> str:
        """The recipe as a TOML document."""
        table = self.model_dump(mode="json", exclude_none=True)
        return tomli_w.dumps({key: value for key, value in table.items() if value != ""})


def build_table(kind: str, table: ComponentTable, **given: Any) -> Any:
    """Build what a table of a recipe names.

    Args:
        kind: one of `colddiff_core.hookspecs.KINDS`.
        table: the component's name and parameters.
        **given: arguments that are not for a recipe to set, such as `image_shape` or `split`.

    Raises:
        UnknownComponentError: nothing of that kind has that name.
        ParameterError: a parameter is unknown, missing, of the wrong type or out of range.
    """
    clash = sorted(given.keys() & table.params.keys())
    if clash:
        raise ParameterError(f"{kind} {table.name!r}: {clash[0]!r} is not for a recipe to set")
    return registry().build(kind, table.name, **given, **table.params)


def load_recipe(source: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe by path, or by name if a plugin brings it.

    Args:
        source: `"my/recipe.toml"` or `"mnist-demo"`.
        overrides: `"train.steps=500"` and the like; the value is TOML, or else a string.

    Raises:
        RecipeError: not found, not TOML, or something in it does not fit.
    """
    path = Path(source)
    if path.suffix == ".toml" or path.name != str(source):  # so that no file hides a recipe
        table = read_toml(path)
    else:
        table = tomllib.loads(recipe_text(str(source)))
    for override in overrides:
        _apply(table, override)
    return Recipe.from_table(table, where=str(source))


def recipe_text(name: str) -> str:
    """The TOML document of a recipe that a plugin brings.

    Raises:
        RecipeError: there is none of that name.
    """
    known = packaged_recipes()
    if name not in known:
        nearest = get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else "see `colddiff recipes list`"
        raise RecipeError(f"no file and no recipe {name!r}; {hint}")
    return known[name].read_text(encoding="utf-8")


def packaged_recipes() -> dict[str, Traversable]:
    """The recipes that plugins bring, by name, sorted; a built-in wins over a namesake."""
    found: dict[str, Traversable] = {}
    for plugin in sorted(plugins(), key=lambda p: (p.distribution != "colddiff", p.distribution)):
        for package in plugin.recipe_packages:
            for entry in files(package).iterdir():
                if entry.name.endswith(".toml"):
                    found.setdefault(entry.name.removesuffix(".toml"), entry)
    return dict(sorted(found.items()))


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file of bounded size.

    Raises:
        RecipeError: missing, too large, or not TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise RecipeError(f"{path}: over {MAX_BYTES // 1_000_000} MB, which no recipe is")
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        raise RecipeError(f"{path}: not a TOML file: {error}") from error


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split `key=value`; the value is TOML, or else a string.

    Raises:
        RecipeError: there is no `=`, or no key before it.
    """
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key:
        raise RecipeError(f"--set {text!r}: expected key=value")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return key, value
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, say
        raise RecipeError(f"--set {key}: {error}") from error
    return key, parsed["value"] if len(parsed) == 1 else value


def _apply(table: dict[str, Any], override: str) -> None:
    key, value = parse_assignment(override)
    *tables, last = key.split(".")
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise RecipeError(f"--set {override!r}: {name!r} is not a table")
    table[last] = value
