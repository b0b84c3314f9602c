"""Read an exported file once, judge it, and keep the bytes that were judged.

ONNX Runtime is given these bytes and no path: the file cannot be exchanged in between, and there is
no folder in which it could name another file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colddiff_core.contracts.errors import ModelFileError
from colddiff_exporters import metadata
from colddiff_exporters.files import read_bytes
from colddiff_exporters.gate.digest import is_sealed
from colddiff_exporters.gate.loop import check_loops
from colddiff_exporters.gate.model import Model, UnsafeFileError, Value, read_model
from colddiff_exporters.gate.signature import CONTEXT_TYPES, check_signature
from colddiff_exporters.gate.wire import WireError


@dataclass(frozen=True)
class CheckedFile:
    """A file that passed.

    Attributes:
        path: where it came from, for messages.
        content: its bytes.
        model: what it declares.
        metadata: what it says about itself.
        context: its inputs for context tensors.
    """

    path: Path
    content: bytes
    model: Model
    metadata: metadata.Metadata
    context: tuple[Value, ...]

    def describe(self) -> dict[str, Any]:
        """What the file says about itself, for people and programs to read."""
        graph = self.model.graph
        return {
            **self.metadata.facts,
            "opset": self.model.opset,
            "nodes": sum(1 for _ in graph.all_nodes()),
            "inputs": [_named(item) for item in graph.inputs],
            "outputs": [_named(item) for item in graph.outputs],
        }


def read_file(path: Path) -> CheckedFile:
    """Read and judge a file.

    Raises:
        ModelFileError: missing, damaged, changed since it was exported, not exported by colddiff,
            or holding what no export holds.
    """
    content = read_bytes(path)
    try:
        model = read_model(content)
    except WireError as error:
        raise ModelFileError(f"{path}: not a usable ONNX file: {error}") from error
    except UnsafeFileError as error:
        raise _refused(path, error) from error
    facts = metadata.parse(model.properties, path)
    try:
        check_loops(model.graph, sampler=facts.graph == "sampler")
        context = check_signature(model.graph, facts)
    except UnsafeFileError as error:
        raise _refused(path, error) from error
    if not is_sealed(content, model.properties, model.places):
        raise ModelFileError(
            f"{path}: was changed after it was exported, its digest does not fit; export it again"
        )
    return CheckedFile(path, content, model, facts, context)


def _named(item: Value) -> dict[str, Any]:
    return {
        "name": item.name,
        "type": CONTEXT_TYPES.get(item.element, str(item.element)),
        "shape": list(item.shape),
    }


def _refused(path: Path, error: UnsafeFileError) -> ModelFileError:
    return ModelFileError(f"{path}: refused, it holds {error}; colddiff writes no such file")
