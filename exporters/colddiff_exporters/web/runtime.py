"""onnxruntime-web, from npm: referenced where others serve it, or copied beside the page."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from colddiff_core.contracts.errors import ExportError

VERSION = "1.30.0"
"""The release that the tests run."""

_ENTRY = "ort.wasm.min.mjs"
_FILES = (_ENTRY, "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_SECONDS = 300


def referenced(version: str) -> str:
    """Where a public server of npm's packages has it."""
    return f"https://cdn.jsdelivr.net/npm/onnxruntime-web@{version}/dist/{_ENTRY}"


def vendored(version: str, folder: Path) -> str:
    """Fetch it with npm and copy what the page needs into `folder`.

    Returns:
        Where the page finds it.

    Raises:
        ExportError: npm is not installed, or does not get it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise ExportError("runtime: vendoring onnxruntime-web takes npm; install it, or use cdn")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            subprocess.run(  # noqa: S603 - the version is checked by its pattern
                [npm, "pack", "--silent", f"onnxruntime-web@{version}"],
                cwd=scratch,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=True,
            )
            (archive,) = Path(scratch).glob("*.tgz")
            with tarfile.open(archive) as packed:
                for name in _FILES:
                    packed.extract(f"package/dist/{name}", scratch, filter="data")
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ExportError(f"npm cannot fetch onnxruntime-web {version}: {reason}") from error
        except (OSError, subprocess.SubprocessError, tarfile.TarError, KeyError) as error:
            raise ExportError(f"onnxruntime-web {version}: {error}") from error
        folder.mkdir()
        for name in _FILES:
            shutil.copy(Path(scratch, "package/dist", name), folder / name)
    return f"./{folder.name}/{_ENTRY}"
