"""Which ONNX Runtime is installed, and which of its providers really start."""

from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from colddiff_core.contracts.finding import Finding

_VARIANTS = ("", "-gpu", "-directml", "-openvino", "-rocm", "-qnn")


def onnx_findings() -> Iterator[Finding]:
    """Look at packages, at onnxruntime itself, and start every provider it knows."""
    installed = installed_packages()
    yield from package_findings(installed)
    try:
        import onnxruntime as ort
    except Exception as error:  # a package that another has overwritten fails in many ways
        mend = "pip install --force-reinstall onnxruntime-gpu"
        yield Finding("ONNX Runtime", "problem", f"cannot be imported: {error}", mend)
        return
    yield Finding("ONNX Runtime", "ok", f"{ort.__version__} in {ort.__path__[0]}")
    yield from provider_findings()


def installed_packages() -> dict[str, str]:
    """The packages that bring a module `onnxruntime`, with their versions."""
    found = {}
    for name in map("onnxruntime{}".format, _VARIANTS):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def package_findings(installed: dict[str, str]) -> Iterator[Finding]:
    """Two packages write into one folder, and the last one installed wins in part."""
    names = [f"{name} {number}" for name, number in installed.items()]
    if len(installed) > 1:
        keep = "onnxruntime-gpu" if "onnxruntime-gpu" in installed else next(iter(installed))
        text = f"{' and '.join(names)} are both installed and overwrite each other"
        mend = f"pip uninstall -y {' '.join(installed)} && pip install {keep}"
        yield Finding("ONNX Runtime", "problem", text, mend)
    elif not installed:
        yield Finding("ONNX Runtime", "problem", "not installed", "pip install onnxruntime-gpu")
    else:
        yield Finding("ONNX Runtime", "ok", names[0])


def provider_findings() -> Iterator[Finding]:
    """Start each provider on a small graph, because being listed says little."""
    from colddiff_core.contracts.errors import ColdDiffError
    from colddiff_exporters.session import PROVIDERS, resolve

    for device, (provider, *_) in PROVIDERS.items():
        name = provider.removesuffix("ExecutionProvider")
        try:
            resolve(device)
        except ColdDiffError as error:
            yield Finding(name, "note", str(error))
        else:
            yield Finding(name, "ok", f"starts: {provider}")
