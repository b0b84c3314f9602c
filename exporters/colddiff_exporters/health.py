"""Which ONNX Runtime is installed, and which of its providers really start."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from colddiff_core.health import Finding

_PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-rocm",
    "onnxruntime-qnn",
)
_PROVIDERS = {"cpu": "CPU", "cuda": "CUDA", "tensorrt": "TensorRT"}


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
    from colddiff_core.errors import ColdDiffError
    from colddiff_exporters.session import open_session

    for device, name in _PROVIDERS.items():
        try:
            session = open_session(_probe(), "probe", device)
        except ColdDiffError as error:
            yield Finding(name, "note", str(error))
        else:
            yield Finding(name, "ok", f"starts: {session.provider}")


def _probe() -> bytes:
    """An ONNX file that adds a number to itself."""
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "probe", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content
