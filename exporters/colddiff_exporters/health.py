"""Which ONNX Runtime is installed, and which of its providers really start."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from colddiff_core.contracts.finding import Finding

_PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-rocm",
    "onnxruntime-qnn",
)
_PROVIDERS = {"cpu": "CPU", "cuda": "CUDA", "tensorrt": "TensorRT"}

PROBE = bytes.fromhex(
    "080a3a390a0e0a01780a01781201792203416464120570726f62655a0f0a0178120a0a0808011204"
    "0a020801620f0a0179120a0a08080112040a02080142040a001012"
)
"""An ONNX file that adds a number to itself, written out because onnx may not be installed."""


def onnx_findings() -> Iterator[Finding]:
    """Look at packages, at onnxruntime itself, and start every provider it knows."""
    installed = installed_packages()
    yield from package_findings(installed)
    try:
        import onnxruntime as ort
    except Exception as error:  # a package that another has overwritten fails in many ways
        yield Finding(
            "ONNX Runtime",
            "problem",
            f"cannot be imported: {error}",
            "pip install --force-reinstall onnxruntime-gpu",
        )
        return
    yield Finding("ONNX Runtime", "ok", f"{ort.__version__} in {ort.__path__[0]}")
    yield from provider_findings()


def installed_packages() -> dict[str, str]:
    """The packages that bring a module `onnxruntime`, with their versions."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def package_findings(installed: dict[str, str]) -> Iterator[Finding]:
    """Two packages write into one folder, and the last one installed wins in part."""
    names = [f"{name} {number}" for name, number in installed.items()]
    if len(installed) > 1:
        keep = "onnxruntime-gpu" if "onnxruntime-gpu" in installed else next(iter(installed))
        yield Finding(
            "ONNX Runtime",
            "problem",
            f"{' and '.join(names)} are both installed and overwrite each other",
            f"pip uninstall -y {' '.join(installed)} && pip install {keep}",
        )
    elif not installed:
        yield Finding("ONNX Runtime", "problem", "not installed", "pip install onnxruntime-gpu")
    else:
        yield Finding("ONNX Runtime", "ok", names[0])


def provider_findings() -> Iterator[Finding]:
    """Start each provider on a small graph, because being listed says little."""
    from colddiff_core.contracts.errors import ColdDiffError
    from colddiff_exporters.session import open_session

    for device, name in _PROVIDERS.items():
        try:
            session = open_session(PROBE, "probe", device)
        except ColdDiffError as error:
            yield Finding(name, "note", str(error))
        else:
            yield Finding(name, "ok", f"starts: {session.provider}")
