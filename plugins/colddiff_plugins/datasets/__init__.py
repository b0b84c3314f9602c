"""Data sets: one source of clean images per file."""

from colddiff_core import Component, hookimpl

_HERE = "colddiff_plugins.datasets"


@hookimpl
def colddiff_datasets() -> list[Component]:
    """The built-in data sets."""
    return [
        Component("mnist", f"{_HERE}.mnist:Mnist", "The 70,000 digits, from their four gz files"),
        Component("mnist-mini", f"{_HERE}.mnist:MnistMini", "7,000 of them, bundled"),
        Component(
            "cifar10", f"{_HERE}.cifar10:Cifar10", "The 60,000 photographs, from their batches"
        ),
        Component("folder", f"{_HERE}.folder:Folder", "All pictures in a folder and below"),
        Component("paired", f"{_HERE}.paired:Paired", "Clean pictures with real degraded ones"),
        Component("zip", f"{_HERE}.zip:Zip", "All pictures in a zip file, which is not unpacked"),
        Component(
            "huggingface",
            f"{_HERE}.huggingface:HuggingFace",
            "A data set of the Hugging Face Hub, or in its formats on disk",
        ),
    ]
