"""Judge a .pt2 archive, and write another of what was judged for torch to read; imports no torch.

The reader here and that of torch may see two different archives in one file, since each looks for
the directory in its own way: torch is never given the bytes of the file.

`torch.export.load` trusts its file: it evaluates shape expressions and guards as Python, unpickles
what it cannot read otherwise, and resolves operators by name. Allowed is what the exporter here
writes: plain tensors, operators of aten, the symbol of the batch, and no guards.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colddiff_core.contracts.errors import ModelFileError
from colddiff_exporters import metadata
from colddiff_exporters.checked_file import read_foreign

METADATA = "colddiff.json"
_INPUTS = "data/sample_inputs/model.pt"
_MAX_BYTES = 2**36  # of all members together
_MAX_JSON = 2**28
_MEMBER = re.compile(
    r"(data/(weights/(weight_\d+|model_weights_config\.json)"
    r"|constants/(tensor_\d+|model_constants_config\.json)|sample_inputs/model\.pt)"
    r"|models/model\.json|extra/colddiff\.json|archive_format|archive_version|byteorder"
    r"|\.data/(version|serialization_id)|\.format_version|\.storage_alignment)"
)
_OPERATOR = re.compile(r"torch\.ops\.aten\.\w+\.\w+")
_READS_FILES = "torch.ops.aten.from_file."
_EXPRESSION = re.compile(r"(Symbol\('s\d+', positive=True, integer=True\)|[su]?\d+)")
_DAMAGED = (zipfile.BadZipFile, AttributeError, TypeError, OSError, EOFError, RuntimeError)
_GRAPHS = {"as_graph", "as_custom_obj", "as_operator", "as_string_to_argument"}


@dataclass(frozen=True)
class Archive:
    """An archive that passed.

    Attributes:
        content: a new archive of its members.
        metadata: what the file says about itself.
    """

    content: bytes
    metadata: metadata.Metadata


def read_archive(path: Path) -> Archive:
    """Read and judge a file.

    Raises:
        ModelFileError: missing, damaged, not exported by colddiff, or holding what no export holds.
    """
    content = read_foreign(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _members(archive)
            _check(members)
            facts = {key: str(v) for key, v in json.loads(members[f"extra/{METADATA}"]).items()}
    except _UnsafeError as error:
        raise ModelFileError(f"{path}: refused, it holds {error}") from error
    except KeyError as error:
        raise ModelFileError(f"{path}: was not exported by colddiff: {error} is missing") from error
    except (ValueError, *_DAMAGED) as error:
        raise ModelFileError(f"{path}: not a usable .pt2 file: {error!s:.200}") from error
    found = metadata.parse(facts, path)
    if found.graph != "step":
        raise ModelFileError(f"{path}: refused, a .pt2 file holds a step, not a {found.graph}")
    return Archive(_written(members), found)


class _UnsafeError(ValueError):
    pass


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Names without the folder that all are in; reading checks each member's sum."""
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > min(_MAX_BYTES, _size(archive)):
        raise _UnsafeError("more than it has bytes for")
    found: dict[str, bytes] = {}
    roots = {entry.filename.partition("/")[0] for entry in entries}
    for entry in entries:
        name = entry.filename.partition("/")[2]
        if not _MEMBER.fullmatch(name) or name in found or len(roots) != 1:
            raise _UnsafeError(f"a member {entry.filename[:80]!r}")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise _UnsafeError("compressed members")
        data = archive.read(entry)
        if name.endswith(".json") and len(data) > _MAX_JSON:
            raise _UnsafeError(f"a member {name!r} of {len(data):,} bytes")
        found[name] = data
    found[_INPUTS] = b""  # a pickle of nothing that is needed; torch takes an empty one for none
    return found


def _written(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"model/{name}", data)
    return buffer.getvalue()


def _size(archive: zipfile.ZipFile) -> int:
    assert archive.fp is not None  # noqa: S101 - it is open
    return archive.fp.seek(0, io.SEEK_END)


def _check(members: dict[str, bytes]) -> None:
    for kind in ("weights", "constants"):
        config = json.loads(members[f"data/{kind}/model_{kind}_config.json"])["config"]
        for name, entry in config.items():
            plain = entry["use_pickle"] is False and entry["tensor_meta"] is not None
            if not plain or not re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"]):
                raise _UnsafeError(f"a pickle or an object, {name[:80]!r}")
    model = json.loads(members["models/model.json"])
    if model.get("guards_code"):
        raise _UnsafeError("guards, which are Python code")
    for key, value in _entries(model):
        if key == "target" and isinstance(value, str) and not _is_operator(value):
            raise _UnsafeError(f"an operator {value[:80]!r}")
        if key == "expr_str" and not (isinstance(value, str) and _EXPRESSION.fullmatch(value)):
            raise _UnsafeError(f"an expression {value!r:.80}")
        if key in _GRAPHS and value is not None:
            raise _UnsafeError(f"an argument of the kind {key}")


def _is_operator(name: str) -> bool:
    return bool(_OPERATOR.fullmatch(name)) and not name.startswith(_READS_FILES)


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of every table inside, with its value."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from item.items()
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
