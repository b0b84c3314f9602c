"""What an exported file says about itself, in the model's `metadata_props`.

| key | value |
|---|---|
| `colddiff.format` | version of this table, "1" |
| `colddiff.graph` | "sampler", "step" or "restorer"; see `colddiff_exporters.graph.build` |
| `colddiff.version` | the release that wrote the file |
| `colddiff.image_shape` | JSON, [C, H, W] |
| `colddiff.value_range` | JSON, [-1, 1] |
| `colddiff.color_order` | "RGB", "grey", or "" for another number of channels |
| `colddiff.timesteps` | JSON, the full schedule [T, …, 0] |
| `colddiff.static_steps` | JSON, the only number of steps it takes; null for any |
| `colddiff.precision` | "fp32", "fp16" or "int8", of the restorer |
| `colddiff.locality` | JSON, {"reach", "grid"} in pixels if large images can be tiled; null |
| `colddiff.recipe` | JSON, the resolved recipe without [data], whose paths are private |
| `colddiff.prior` | JSON, what the prior has learnt, by name; {} without a prior |
| `colddiff.components` | JSON, ["dist:component==version", …] |
| `colddiff.training` | JSON, the training figures of the model folder; {} if unknown |
| `colddiff.digest` | SHA-256 of the file with this value's place filled with zeros |

The reading half imports no torch and no onnx.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colddiff_core.contracts import timesteps as schedules
from colddiff_core.contracts.errors import ModelFileError, UsageError
from colddiff_core.contracts.locality import Locality

if TYPE_CHECKING:
    from colddiff_core.contracts.prior import Prior
    from colddiff_core.contracts.process import Process
    from colddiff_core.contracts.recipe import Recipe

FORMAT = "1"
GRAPHS = ("sampler", "step", "restorer")
_DAMAGED = "its colddiff metadata is damaged"


@dataclass(frozen=True)
class Metadata:
    """The metadata of a file, checked.

    Attributes:
        graph: the kind of graph.
        image_shape: (C, H, W).
        timesteps: the full schedule.
        static_steps: the only number of steps it takes, if it takes but one.
        locality: how far the degradation reaches, if large images can be tiled.
        recipe_table: the recipe as a plain table.
        prior_state: what the prior has learnt, as nested lists.
        facts: everything the file says, by key without `colddiff.`, for people to read.
    """

    graph: str
    image_shape: tuple[int, int, int]
    timesteps: tuple[int, ...]
    static_steps: int | None
    locality: Locality | None
    recipe_table: Mapping[str, Any]
    prior_state: Mapping[str, Any]
    facts: Mapping[str, Any]

    @property
    def num_steps(self) -> int:
        """T."""
        return self.timesteps[0]

    @property
    def schedule(self) -> tuple[int, ...]:
        """What is run unless the caller wants another."""
        if self.static_steps is None:
            return self.timesteps
        return schedules.evenly(self.num_steps, self.static_steps)

    @property
    def recipe(self) -> "Recipe":
        """The recipe, validated.

        Raises:
            RecipeError: it does not fit this version's schema.
        """
        from colddiff_core.models.recipe import parse_recipe

        return parse_recipe(self.recipe_table, where="recipe in the file")

    @property
    def prior(self) -> "Prior":
        """The prior, ready to draw; this is where torch comes in.

        Raises:
            UsageError: the model has none, what the file says of it does not fit, or torch is
                not installed.
        """
        table = self.recipe.prior
        if table is None:
            raise UsageError("generate: the model has no prior to start from")
        try:
            import torch
        except ImportError:
            raise UsageError(
                "generate: drawing the start takes torch, which is not installed; "
                "pip install torch, or draw x_T yourself and restore it"
            ) from None

        from colddiff_core.models.recipe import build_table

        prior: Prior = build_table("prior", table, image_shape=self.image_shape)
        try:
            state = {name: torch.tensor(values) for name, values in self.prior_state.items()}
            prior.load_state_dict(state)
        except (RuntimeError, TypeError, ValueError) as error:
            raise UsageError(f"prior {table.name!r}: its state is damaged: {error}") from error
        return prior.eval()


def describe(
    process: "Process",
    *,
    graph: str = "sampler",
    static_steps: int | None = None,
    precision: str = "fp32",
) -> dict[str, str]:
    """The metadata of an export of `process`, all but the digest.

    Args:
        process: what is exported.
        graph: the kind of graph.
        static_steps: the only number of steps it takes.
        precision: of the restorer.

    Raises:
        UsageError: a part was not made by `build`.
    """
    from colddiff_core.models.folder import component_configs, resolved_recipe

    recipe = resolved_recipe(process).model_copy(update={"data": None})
    configs = component_configs(process).values()
    learnt = process.prior.state_dict() if process.prior is not None else {}
    shape, locality = process.image_shape, process.degradation.locality
    return {
        "colddiff.format": FORMAT,
        "colddiff.graph": graph,
        "colddiff.version": version("colddiff"),
        "colddiff.image_shape": json.dumps(shape),
        "colddiff.value_range": json.dumps([-1, 1]),
        "colddiff.color_order": {1: "grey", 3: "RGB"}.get(shape[0], ""),
        "colddiff.timesteps": json.dumps(schedules.full(process.num_steps)),
        "colddiff.static_steps": json.dumps(static_steps),
        "colddiff.precision": precision,
        "colddiff.locality": json.dumps(locality and asdict(locality)),
        "colddiff.recipe": recipe.model_dump_json(exclude_none=True),
        "colddiff.prior": json.dumps({name: value.tolist() for name, value in learnt.items()}),
        "colddiff.components": json.dumps([config.provenance for config in configs]),
        "colddiff.training": json.dumps(process.provenance.get("training", {})),
    }


def parse(properties: Mapping[str, str], path: Path) -> Metadata:
    """Check and read the metadata of a file.

    Raises:
        ModelFileError: the file was not written by this project, or by a newer release.
    """
    form = properties.get("colddiff.format")
    if form is None:
        raise ModelFileError(f"{path}: was not exported by colddiff, it has no colddiff metadata")
    if form != FORMAT:
        raise ModelFileError(
            f"{path}: has format {form[:20]}, this release reads {FORMAT}; upgrade"
        )
    try:
        graph = properties["colddiff.graph"]
        channels, height, width = map(int, json.loads(properties["colddiff.image_shape"]))
        timesteps = tuple(map(int, json.loads(properties["colddiff.timesteps"])))
        steps = json.loads(properties["colddiff.static_steps"])
        static_steps = None if steps is None else int(steps)
        locality = _locality(json.loads(properties["colddiff.locality"]))
        recipe = dict(json.loads(properties["colddiff.recipe"]))
        prior = dict(json.loads(properties["colddiff.prior"]))
        facts = _facts(properties)
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path}: {_DAMAGED}: {error!r:.200}") from error
    num_steps = len(timesteps) - 1
    if not 1 <= num_steps <= schedules.MAX_NUM_STEPS or timesteps != schedules.full(num_steps):
        raise ModelFileError(f"{path}: {_DAMAGED}: not a full schedule")
    if graph not in GRAPHS:
        raise ModelFileError(f"{path}: {_DAMAGED}: no kind of graph is called {graph[:20]!r}")
    if static_steps is not None and not 1 <= static_steps <= num_steps:
        raise ModelFileError(f"{path}: {_DAMAGED}: static_steps {static_steps}")
    if locality and not (locality.reach >= 0 and 1 <= locality.grid <= min(height, width)):
        raise ModelFileError(f"{path}: {_DAMAGED}: {locality}")
    if min(channels, height, width) < 1:
        raise ModelFileError(f"{path}: {_DAMAGED}: image_shape {channels, height, width}")
    return Metadata(
        graph=graph,
        image_shape=(channels, height, width),
        timesteps=timesteps,
        static_steps=static_steps,
        locality=locality,
        recipe_table=recipe,
        prior_state=prior,
        facts=facts,
    )


def _locality(table: Any) -> Locality | None:
    return None if table is None else Locality(int(table["reach"]), int(table["grid"]))


def _facts(properties: Mapping[str, str]) -> dict[str, Any]:
    """Everything but the prior's numbers, which nobody reads, with JSON read."""
    facts: dict[str, Any] = {}
    for key, value in properties.items():
        name = key.removeprefix("colddiff.")
        if name in (
            "image_shape",
            "value_range",
            "static_steps",
            "locality",
            "recipe",
            "components",
        ):
            facts[name] = json.loads(value)
        elif name == "training":
            facts[name] = dict(json.loads(value))
        elif name == "timesteps":
            facts["num_steps"] = len(json.loads(value)) - 1
        elif name != "prior" and name != key:
            facts[name] = value
    return facts
