"""`colddiff doctor`: does this installation work, and on which devices?"""

import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version

import typer
from rich.text import Text

from colddiff_cli.console import show_json, show_table
from colddiff_cli.options import Json
from colddiff_core import Exporter, Finding, UsageError
from colddiff_core.contracts.errors import one_line
from colddiff_core.pictures.cache import cache_folder
from colddiff_core.registry.components import registry

_COLORS = {"ok": "green", "note": "yellow", "problem": "red"}


def doctor(as_json: Json = False) -> None:
    """Look at torch, CUDA, ONNX Runtime and plugins; exit code 1 if something is broken."""
    findings = list(_findings())
    if as_json:
        show_json({"findings": [asdict(finding) for finding in findings]})
    else:
        show_table([row for finding in findings for row in _rows(finding)])
    if any(finding.status == "problem" for finding in findings):
        raise typer.Exit(1)


def _findings() -> Iterator[Finding]:
    python = f"{platform.python_version()} in {sys.prefix}"
    yield Finding("Python", "ok", python)
    yield Finding("colddiff", "ok", version("colddiff"))
    yield from _torch()
    yield from _plugins()
    yield _cache()


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except ImportError:
        mend = "pip install torch"
        yield Finding("torch", "note", "not installed; exported files run without it", mend)
        return
    except Exception as error:  # a library of another version
        yield Finding("torch", "problem", f"cannot be imported: {error}", "reinstall torch")
        return
    yield Finding("torch", "ok", torch.__version__)
    if torch.version.cuda is None:
        yield Finding("torch CUDA", "note", "this torch is built without CUDA: it uses the CPU")
    elif not torch.cuda.is_available():
        yield Finding(
            "torch CUDA",
            "note",
            f"built for CUDA {torch.version.cuda}, but no GPU can be used",
            "check the NVIDIA driver with nvidia-smi",
        )
    else:
        for k in range(torch.cuda.device_count()):
            free, total = (n / 2**30 for n in torch.cuda.mem_get_info(k))
            name = torch.cuda.get_device_name(k)
            text = f"cuda:{k} {name}, {free:.1f} of {total:.1f} GiB free, CUDA {torch.version.cuda}"
            yield Finding("torch CUDA", "ok", text)


def _plugins() -> Iterator[Finding]:
    found = registry()
    for plugin in found.plugins:
        if plugin.status == "disabled":  # as somebody wants it
            yield Finding("plugin", "note", f"{plugin.title}: disabled, {plugin.error}")
        elif plugin.error:
            mend = f"pip install -U {plugin.distribution}, or uninstall it"
            yield Finding("plugin", "problem", f"{plugin.blame}: {plugin.error}", mend)
    for item in found.components("exporter"):
        try:
            exporter: Exporter = item.build()
            yield from exporter.findings()
        except Exception as error:  # a plugin may raise anything
            yield Finding("plugin", "problem", one_line(error, item.component.target))


def _cache() -> Finding:
    try:
        folder = cache_folder()
    except UsageError as error:
        return Finding("cache", "note", str(error))
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # gone already
            size += path.stat().st_size
    return Finding("cache", "ok", f"{folder}, {size / 1e9:.2f} GB; it may be deleted at any time")


def _rows(finding: Finding) -> Iterator[tuple[Text, str, str]]:
    yield Text(finding.status, style=_COLORS[finding.status]), finding.topic, finding.text
    if finding.mend:
        yield Text(), "", f"→ {finding.mend}"
