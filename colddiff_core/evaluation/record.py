"""The figures of an evaluation with the protocol they were taken by, as a file keeps them."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from colddiff_core.contracts.errors import UsageError
from colddiff_core.disk import os_errors_as, read_bounded
from colddiff_core.models.nested import flat

MAX_BYTES = 10_000_000
"""Largest file that is read."""

FREE = ("versions", "data.name")
"""Parts of a protocol that may differ between figures in one table: what the data are called does
not matter, their images do."""


@dataclass(frozen=True)
class Evaluation:
    """A table, and the protocol it was made by.

    Attributes:
        rows: for each of `comparison.ROWS` its figures by name: rmse, psnr, ssim, frechet.
        protocol: data, number of images, schedule, seed, metrics and versions, as JSON can hold.
        components: what the model is made of, `kind:distribution:name==version`.
        schema_version: of the file.
    """

    __pydantic_config__: ClassVar = ConfigDict(strict=True, allow_inf_nan=False)

    rows: Mapping[str, Mapping[str, float]]
    protocol: Mapping[str, Any]
    components: tuple[str, ...] = ()
    schema_version: Literal[1] = 1

    @property
    def protocol_hash(self) -> str:
        """Names the protocol: figures of another must not stand in one table with these."""
        text = json.dumps(_binding(self.protocol), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """The text of a file."""
        content = {**asdict(self), "protocol_hash": self.protocol_hash}
        return json.dumps(content, indent=2, allow_nan=False)


def read_evaluation(path: Path) -> Evaluation:
    """Read what `Evaluation.to_json` wrote.

    Raises:
        UsageError: there is no such file, or it is not one of those.
    """
    with os_errors_as(UsageError, path):
        text = read_bounded(path, MAX_BYTES)
    try:
        found = TypeAdapter(Evaluation).validate_json(text)
    except ValidationError:
        found = None
    if found is None or not found.rows:
        raise UsageError(
            f"{path}: expected the JSON of an evaluation, as `colddiff evaluate -o` writes it"
        )
    return found


def check_same_protocol(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> None:
    """Figures of different protocols do not stand in one table.

    Args:
        one: the protocol of an evaluation.
        other: that of what is to stand beside it.
        name: of the other, for the message.

    Raises:
        UsageError: the protocols differ; says in what.
    """
    before, now = (_binding(protocol) for protocol in (other, one))
    different = [
        f"{key} is {before.get(key, 'not there')} there and {now.get(key, 'not there')} here"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if different:
        raise UsageError(
            f"{name}: was measured by another protocol, its figures cannot stand beside these: "
            f"{'; '.join(different)}"
        )


def versions() -> dict[str, str]:
    """Of what decides about figures, for a protocol."""
    return {name: version(name) for name in ("colddiff", "torch", "torchmetrics")}


def plain(value: Any) -> Any:
    """The same with null for what JSON has no number for."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _binding(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """What figures in one table must share, by dotted names."""
    return {
        key: value
        for key, value in flat(protocol)
        if not any(key == free or key.startswith(f"{free}.") for free in FREE)
    }
