"""What a recipe says: the tables of the TOML file. Imports no torch."""

from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field

from colddiff_core.contracts.component import ComponentConfig

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
        warmup_steps: steps in which the learning rate rises from zero; if not set, 100 or a tenth
            of a shorter run.
        weight_decay: of AdamW.
        quantize: round x_t to the 256 levels of a picture file before the restorer sees it, so
            that it learns to restore files; without, a deblurrer amplifies their rounding.
        clip_norm: largest norm of the gradient, which is scaled down to it; 0 for no limit.
        ema_decay: of the average of the weights, which is what a model folder holds.
        precision: of the network's arithmetic; the weights are kept in fp32 all the same. "auto"
            is bf16 where the CPU or the GPU computes in it, else fp32; a run goes on with what it
            began with.
        compile: let `torch.compile` make the network's code, which takes minutes and then pays.
        accumulate: parts that a batch is computed in, one after the other, where memory is short;
            batch normalisation sees a part at a time.
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
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32"
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

    def to_toml(self) -> str:
        """The recipe as a TOML document."""
        table = self.model_dump(mode="json", exclude_none=True)
        return tomli_w.dumps({key: value for key, value in table.items() if value != ""})
