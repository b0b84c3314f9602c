"""What an exported file says about itself, in the model's `metadata_props`: `colddiff.KEY`.

`colddiff.format` is the version of this table, "1"; `colddiff.digest` is the SHA-256 of the file
with this value's place filled with zeros. The other keys are the fields of `Metadata`. Text is
written as it is, everything else as JSON. The reading half imports no torch and no onnx.
"""

import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from colddiff_core import Locality, ModelFileError, UsageError
from colddiff_core.contracts import timesteps as schedules

if TYPE_CHECKING:
    from colddiff_core import Prior, Process, Recipe

FORMAT = "1"
_PREFIX = "colddiff."
_MAX_TEXT = 2**23  # of all entries together; what a prior has learnt is the most of it
_MAX_NUMBERS = 2**28  # of one image; room for them is made before the file is run


class Metadata(BaseModel):
    """The metadata of a file, checked.

    Attributes:
        graph: the kind of graph; see `colddiff_exporters.graph.build`.
        version: the release that wrote the file.
        image_shape: (C, H, W).
        value_range: of the images.
        color_order: "RGB", "grey", or "" for another number of channels.
        timesteps: the full schedule [T, …, 0].
        static_steps: the only number of steps it takes; null for any.
        precision: of the restorer.
        locality: {"reach", "grid"} of the degradation, pixels; null where it is not local.
        reach: how many pixels away a pixel of the restorer's result depends on; null for all.
        size_multiple: where tiles may start, pixels.
        recipe_table: (`recipe`) without [data], whose paths are private.
        prior_state: (`prior`) what the prior has learnt, by name; {} without a prior.
        components: ["dist:component==version", …].
        training: the training figures of the model folder; {} if unknown.
        weights_digest: SHA-256 of the file beside, if the weights lie there.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    graph: Literal["sampler", "step", "restorer"]
    version: str = ""
    image_shape: Json[tuple[PositiveInt, PositiveInt, PositiveInt]]
    value_range: Json[tuple[float, float]] = (-1, 1)
    color_order: str = ""
    timesteps: Json[tuple[int, ...]]
    static_steps: Json[PositiveInt | None]
    precision: str = "fp32"
    locality: Json[Locality | None]
    reach: Json[NonNegativeInt | None] = None
    size_multiple: Json[PositiveInt] = 1
    recipe_table: Annotated[Json[dict[str, Any]], Field(alias="recipe")]
    prior_state: Annotated[Json[dict[str, Any]], Field(alias="prior")]
    components: Json[list[str]] = []
    training: Json[dict[str, Any]] = {}
    weights_digest: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        num_steps, sides = len(self.timesteps) - 1, self.image_shape[1:]
        if not 1 <= num_steps <= schedules.MAX_NUM_STEPS or self.timesteps != schedules.full(
            num_steps
        ):
            raise ValueError("not a full schedule")
        if math.prod(self.image_shape) > _MAX_NUMBERS:
            raise ValueError(f"image_shape {self.image_shape}")
        if self.static_steps is not None and self.static_steps > num_steps:
            raise ValueError(f"static_steps {self.static_steps}")
        local = self.locality
        if local and not (local.reach >= 0 and 1 <= local.grid <= min(sides)):
            raise ValueError(f"{local}")
        if self.size_multiple > min(sides):
            raise ValueError(f"size_multiple {self.size_multiple}")
        return self

    @property
    def num_steps(self) -> int:
        """T."""
        return self.timesteps[0]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything but the prior's numbers, for people to read."""
        left_out = {"timesteps", "prior_state", "recipe_table"}
        facts = self.model_dump(mode="json", exclude=left_out)
        return {**facts, "num_steps": self.num_steps, "recipe": self.recipe_table}

    @property
    def properties(self) -> dict[str, str]:
        """As it is written into a file."""
        entries = self.model_dump(mode="json", by_alias=True, round_trip=True)
        return {_PREFIX + name: entry for name, entry in {"format": FORMAT, **entries}.items()}

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

        from colddiff_core import build_table

        prior: Prior = build_table("prior", table, image_shape=self.image_shape)
        try:
            state = {name: torch.tensor(values) for name, values in self.prior_state.items()}
            prior.load_state_dict(state)
        except (RuntimeError, TypeError, ValueError) as error:
            raise UsageError(f"prior {table.name!r}: its state is damaged: {error}") from error
        return prior.eval()


def describe(
    process: "Process", graph: str, static_steps: int | None = None, precision: str = "fp32"
) -> dict[str, str]:
    """The metadata of an export of `process`, all but the digests.

    Args:
        process: what is exported.
        graph: the kind of graph.
        static_steps: the only number of steps it takes.
        precision: of the restorer.
    """
    from colddiff_core.models.folder import components, resolved_recipe

    recipe = resolved_recipe(process).model_copy(update={"data": None})
    learnt = process.prior.state_dict() if process.prior is not None else {}
    return Metadata.model_construct(
        graph=graph,
        version=version("colddiff"),
        image_shape=process.image_shape,
        color_order={1: "grey", 3: "RGB"}.get(process.image_shape[0], ""),
        timesteps=schedules.full(process.num_steps),
        static_steps=static_steps,
        precision=precision,
        locality=process.degradation.locality,
        reach=getattr(process.restorer, "reach", None),
        size_multiple=getattr(process.restorer, "size_multiple", None) or 1,
        recipe_table=recipe.model_dump(mode="json", exclude_none=True),
        prior_state={name: value.tolist() for name, value in learnt.items()},
        components=components(process),
        training=process.provenance.get("training", {}),
    ).properties


def parse(properties: Mapping[str, str], path: Path) -> Metadata:
    """Check and read the metadata of a file.

    Raises:
        ModelFileError: the file was not written by this project, or by a newer release.
    """
    form = properties.get(_PREFIX + "format")
    if form is None:
        raise ModelFileError(f"{path}: was not exported by colddiff, it has no colddiff metadata")
    if form != FORMAT:
        raise ModelFileError(
            f"{path}: has format {form[:20]}, this release reads {FORMAT}; upgrade"
        )
    size = sum(map(len, properties.values()))
    if size > _MAX_TEXT:
        raise ModelFileError(
            f"{path}: its metadata has {size:,} characters, over the limit of {_MAX_TEXT:,}"
        )
    try:
        return Metadata.model_validate(
            {key.removeprefix(_PREFIX): entry for key, entry in properties.items()}
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ModelFileError(
            f"{path}: its colddiff metadata is damaged: {where} {first['msg']}"[:400]
        ) from error
