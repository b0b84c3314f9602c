"""Laws of exporters: files that agree with torch, open without it, and are whole or not there."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from colddiff_core.contracts.component import name_of
from colddiff_core.contracts.errors import ColdDiffError, ExportError, ModelFileError, UsageError
from colddiff_core.contracts.exporter import Exporter, ExportReport
from colddiff_core.process import ColdDiffusion
from colddiff_core.registry.components import build
from colddiff_core.testing import uses
from colddiff_core.testing.check import check, one_line
from colddiff_core.testing.fresh import run_python
from colddiff_core.testing.scenes import images, seeded
from colddiff_core.testing.stand_ins import TypedFade
from colddiff_core.testing.subject import ImageShape, Subject, Target, case_label
from colddiff_core.testing.verdict import CheckFailed, CheckSkipped
from colddiff_core.testing.watch import drawn_from

SHAPE: ImageShape = (3, 16, 16)

_OPEN = """
import json, sys
from importlib import import_module
from pathlib import Path
from colddiff_core.registry.schema import Parameters
module, name, params, path, arrays = sys.argv[1:]
cls = getattr(import_module(module), name)
exporter = cls(**Parameters.of(cls).validate(json.loads(params), where=name))
import numpy as np
model = exporter.open(Path(path), device="cpu")
np.save(arrays, model.restore(np.load(arrays)))
print(json.dumps(sorted({"torch", "onnx"} & set(sys.modules))))
"""


NO_CONTEXT = "no context"

CONTEXTS: Mapping[str, Target] = {NO_CONTEXT: "desaturate", "float, int64 and bool": TypedFade}
"""Degradations, by what their context consists of."""


@check("exporter")
def says_how_its_files_are_known(subject: Subject) -> None:
    """`suffix` is a dot and a few letters; an exporter that writes folders has a `marker`.

    The marker is a file that is in each of the folders.
    """
    exporter: Exporter = subject.build()
    suffix = getattr(exporter, "suffix", None)
    if not isinstance(suffix, str) or not re.fullmatch(r"(\.[A-Za-z0-9][A-Za-z0-9_-]*)?", suffix):
        raise CheckFailed(f"suffix is {suffix!r}: expected a dot and letters, '.onnx' for example")
    if not suffix and not exporter.marker:
        raise CheckFailed("neither suffix nor marker is set")


@check("exporter", essential=True, seed=0)
def writes_what_agrees_with_torch(subject: Subject) -> None:
    """A file runs the loop as torch does, with each kind of context unless it refuses them.

    The report says where it was written, and what was compared with torch.
    """
    exporter: Exporter = subject.build()
    for what in CONTEXTS:
        try:
            written, path = _written(subject, exporter, what)
        except ExportError:
            if what == NO_CONTEXT:
                raise
            continue  # a format may have no room for a context
        report, size = written.report, sum(map(len, written.content.values()))
        if (report.path, report.size) != (written.path, size):
            raise CheckFailed(
                f"the report names {report.path} of {report.size} bytes, written was "
                f"{written.path} of {size}"
            )
        if not report.checks or not report.max_error <= report.tolerance:
            raise CheckFailed(
                f"with {what} the report tells of {len(report.checks)} comparisons with torch "
                f"and a tolerance of {report.tolerance}"
            )
        uses.expect_to_agree(exporter, path, written.process, what)


@check("exporter")
def describes_itself(subject: Subject) -> None:
    """A file knows the image shape, T and the recipe that it was made with."""
    exporter: Exporter = subject.build()
    (process, *_), path = _written(subject, exporter)
    model = exporter.open(path, device="cpu")
    found = (tuple(model.image_shape), model.num_steps, model.recipe.degradation.name)
    expected = (SHAPE, process.num_steps, name_of(process.degradation))
    if found != expected:
        raise CheckFailed(f"opened again, the file is of {found}, not {expected}")


@check("exporter", seed=0)
def opens_without_torch(subject: Subject) -> None:
    """Where a file is run neither torch nor onnx is imported.

    Import what writes files inside `export`.
    """
    if subject.build().needs_torch:
        raise CheckSkipped("its files are for torch to run")
    module, _, name = subject.item.component.target.partition(":")
    if "." in name or module == "__main__":
        raise CheckSkipped(f"a fresh interpreter cannot import {module}:{name}")
    import numpy as np

    exporter: Exporter = subject.build()
    params = json.dumps(dict(getattr(exporter.config, "params", {})))
    (process, *_), path = _written(subject, exporter)
    x_t = images(2, SHAPE, seeded(0))
    arrays = subject.folder / "images.npy"
    np.save(arrays, x_t.numpy())
    printed = run_python(_OPEN, module, name, params, str(path), str(arrays))
    imported = json.loads(printed.splitlines()[-1])
    if imported:
        raise CheckFailed(f"opening and running a file imports {' and '.join(imported)}")
    off = float((torch.from_numpy(np.load(arrays)) - process.restore(x_t)).abs().max())
    if not off <= uses.TOLERANCE:
        raise CheckFailed(f"in a fresh interpreter the file differs from torch by {off:.2g}")


@check("exporter")
def refuses_a_damaged_file(subject: Subject) -> None:
    """A file that is missing, cut short or of another kind raises ModelFileError."""
    exporter: Exporter = subject.build()
    _, whole = _written(subject, exporter)
    halves = {name: data[: len(data) // 2] for name, data in _content(whole).items()}
    text = {exporter.marker: b"hello"}
    for name, content in {"missing": {}, "cut": halves, "text": text}.items():
        path = subject.folder / f"{name}{exporter.suffix}"
        _write(path, content)
        with _expecting(ModelFileError, f"open of a {name} file"):
            exporter.open(path, device="cpu")


@check("exporter")
def refuses_an_unknown_device(subject: Subject) -> None:
    """A device that there is not raises UsageError."""
    exporter: Exporter = subject.build()
    _, path = _written(subject, exporter)
    with _expecting(UsageError, "open(path, device='abacus')"):
        exporter.open(path, device="abacus")


@check("exporter")
def leaves_nothing_on_failure(subject: Subject) -> None:
    """A failed export raises ExportError, leaves no file, and keeps the one that was there.

    Write to colddiff_core.disk.atomic_path(path), which leaves that.
    """
    exporter: Exporter = subject.build()
    folder = subject.folder / "failed"
    folder.mkdir()
    path, before = folder / f"model{exporter.suffix}", {exporter.marker: b"what was there before"}
    _write(path, before)
    with uses.process(SHAPE) as process, _expecting(ExportError, "export of a broken restorer"):
        process.restorer.forward = _broken  # type: ignore[method-assign]
        exporter.export(process, path)
    left = sorted(item.name for item in folder.iterdir())
    if _content(path) != before or left != [path.name]:
        raise CheckFailed(f"after a failed export the folder holds {left}, not what was there")


@check("exporter")
def keeps_the_process(subject: Subject) -> None:
    """Exporting changes neither weights nor mode of a process, and draws no global number.

    Use a generator of its own.
    """
    written, _ = _written(subject, subject.build())
    for name, value in written.process.state_dict().items():
        if name not in written.before or not torch.equal(value, written.before[name]):
            raise CheckFailed(f"exporting changes {name!r}")
    if any(part.training for part in written.process.modules()):
        raise CheckFailed("exporting leaves the process in training mode")
    if written.drawn:
        raise CheckFailed(f"exporting draws from {written.drawn[0]}")


def _broken(*_: Tensor) -> Tensor:
    raise RuntimeError("this restorer cannot be run")


@contextmanager
def _expecting(kind: type[ColdDiffError], what: str) -> Iterator[None]:
    """Fail unless an error of some kind is raised within the context."""
    try:
        yield
    except kind:
        return
    except Exception as error:
        raise CheckFailed(f"{what} raises no {kind.__name__}: {one_line(error)}") from error
    raise CheckFailed(f"{what} raises no {kind.__name__}")


def _content(path: Path) -> dict[str, bytes]:
    """What is in the files of a folder, by name, or in a file, by no name."""
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return {
        "" if item == path else item.relative_to(path).as_posix(): item.read_bytes()
        for item in files
    }


def _write(path: Path, content: Mapping[str, bytes]) -> None:
    """Write what `_content` reads."""
    for name, data in content.items():
        target = path / name if name else path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


class _Written(NamedTuple):
    """What came of an export.

    Attributes:
        process: that was exported.
        before: its state until then.
        path: of the file.
        report: of the exporter.
        content: of the files.
        drawn: the global generators that were drawn from meanwhile.
    """

    process: ColdDiffusion
    before: Mapping[str, Tensor]
    path: Path
    report: ExportReport
    content: Mapping[str, bytes]
    drawn: list[str]


_exports: dict[tuple[type, str, str], _Written] = {}
"""By class, case and context: several checks look at the same, which takes seconds."""


def _written(subject: Subject, exporter: Exporter, what: str = NO_CONTEXT) -> tuple[_Written, Path]:
    """An export of a process, and where its files are now."""
    key = (subject.cls, case_label(subject.params), what)
    if key not in _exports:
        path = subject.folder / f"model{exporter.suffix}"
        with (
            Subject.of(CONTEXTS[what], {"num_steps": 3}) as other,
            # naive shows what the restorer gives; improved forgives some errors of it
            uses.process(
                SHAPE, degradation=other.build(SHAPE), sampler=build("sampler", "naive")
            ) as process,
        ):
            before = {name: value.clone() for name, value in process.state_dict().items()}
            with drawn_from() as drawn:
                report = exporter.export(process, path)
        _exports[key] = _Written(process, before, path, report, _content(path), drawn)
    path = subject.folder / f"written{exporter.suffix}"
    _write(path, _exports[key].content)
    return _exports[key], path
