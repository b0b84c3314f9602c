"""Read an exported file once, judge it, and keep the bytes that were judged.

ONNX Runtime is given these bytes and no path: the file cannot be exchanged in between, and there is
no folder in which it could name another file. Weights beside the file are copied, checked, into a
folder of their own.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colddiff_core.contracts.errors import ModelFileError
from colddiff_core.disk import open_regular, os_errors_as, read_bounded
from colddiff_exporters import metadata
from colddiff_exporters.gate.content import Extent, check_content
from colddiff_exporters.gate.digest import KEY, is_sealed
from colddiff_exporters.gate.division import check_divisions
from colddiff_exporters.gate.message import UnsafeFileError, entries, graphs, parse
from colddiff_exporters.gate.signature import CONTEXT_TYPES, Value, check_signature
from colddiff_exporters.gate.trip_count import check_loops

MAX_BYTES = 2**31 - 1
"""Largest file: what protobuf can hold."""

MAX_WEIGHTS = 2**38
"""Largest file of weights beside."""


@dataclass(frozen=True)
class CheckedFile:
    """A file that passed.

    Attributes:
        path: where it came from, for messages.
        content: its bytes, written anew.
        inputs: what it takes.
        outputs: what it gives.
        context: those inputs that are context tensors.
        metadata: what it says about itself.
        facts: all of that and what it is made of, for people and programs to read.
        extents: of the weights that lie beside.
    """

    path: Path
    content: bytes
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    context: tuple[Value, ...]
    metadata: metadata.Metadata
    facts: Mapping[str, Any]
    extents: Sequence[Extent]

    @contextmanager
    def for_runtime(self) -> Iterator[bytes | str]:
        """What ONNX Runtime may have: the bytes, or a path to copies if there are weights beside.

        Raises:
            ModelFileError: the weights are missing, are no regular file of the right size beside
                the model, or have changed.
        """
        if not self.extents:
            yield self.content
            return
        name = self.extents[0].location
        if (
            {item.location for item in self.extents} != {name}
            or Path(name).name != name
            or ":" in name
        ):
            raise _refused(self.path, "weights in another file than the one beside")
        size = max(item.offset + item.length for item in self.extents)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # Windows: in use
            copy = Path(folder, "model.onnx")
            copy.write_bytes(self.content)
            self._copy_weights(self.path.parent / name, Path(folder, name), size)
            yield str(copy)

    def _copy_weights(self, source: Path, target: Path, size: int) -> None:
        digest = hashlib.sha256()
        with (
            os_errors_as(ModelFileError, f"{source}: cannot be read"),
            open_regular(source, min(size, MAX_WEIGHTS)) as file,
            target.open("xb") as copy,
        ):
            while chunk := file.read(2**24):
                digest.update(chunk)
                copy.write(chunk)
        if digest.hexdigest() != self.metadata.weights_digest:
            raise ModelFileError(f"{source}: is not what was exported with {self.path}")


def read_file(path: Path) -> CheckedFile:
    """Read and judge a file.

    Raises:
        ModelFileError: missing, damaged, changed since it was exported, not exported by colddiff,
            or holding what no export holds.
    """
    content = read_foreign(path)
    try:
        model = parse(content)
        properties = entries(model)
        facts = metadata.parse(properties, path)
        extents = check_content(model)
        check_loops(model.graph, sampler=facts.graph == "sampler")
        check_divisions(model.graph)
        context = check_signature(model.graph, facts)
    except UnsafeFileError as error:
        raise _refused(path, error) from error
    except ValueError as error:
        raise ModelFileError(f"{path}: not a usable ONNX file: {error!s:.200}") from error
    if not is_sealed(content, properties.get(KEY, "")):
        raise ModelFileError(
            f"{path}: was changed after it was exported, its digest does not fit; export it again"
        )
    inputs, outputs = (tuple(map(Value.of, m)) for m in (model.graph.input, model.graph.output))
    made_of = {
        "opset": max(item.version for item in model.opset_import),
        "nodes": sum(len(graph.node) for graph in graphs(model.graph)),
        "inputs": list(map(_named, inputs)),
        "outputs": list(map(_named, outputs)),
    }
    anew, told = model.SerializeToString(), {**facts.facts, **made_of}
    return CheckedFile(path, anew, inputs, outputs, context, facts, told, extents)


def read_foreign(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        ModelFileError: missing, no regular file, or over 2 GB.
    """
    with os_errors_as(ModelFileError, f"{path}: cannot be read"):
        return read_bounded(path, MAX_BYTES)


def _named(item: Value) -> dict[str, Any]:
    return {
        "name": item.name,
        "type": CONTEXT_TYPES.get(item.element, str(item.element)),
        "shape": list(item.shape),
    }


def _refused(path: Path, what: object) -> ModelFileError:
    return ModelFileError(f"{path}: refused, it holds {what}; colddiff writes no such file")
