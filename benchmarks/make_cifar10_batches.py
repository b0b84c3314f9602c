"""Make CIFAR-10's official binary batches from the strips of the shared folder.

    python benchmarks/make_cifar10_batches.py ../shared/data/cifar10 cifar-10-batches-bin

A strip is a lossless WebP picture, 32 pixels wide, of 500 images one above the other. What comes
out are the original files, byte for byte; the data set `cifar10` reads them.
"""

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from colddiff_core.disk import write_atomically

ARCHIVES = {f"data_batch_{k}": f"train_{k}of5.zip" for k in range(1, 6)} | {
    "test_batch": "test.zip"
}


def main() -> None:
    """Convert all six batches and print their checksums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("strips", type=Path, help="folder with train_1of5.zip to test.zip")
    parser.add_argument("output", type=Path, help="folder for data_batch_1.bin to test_batch.bin")
    options = parser.parse_args()
    for batch, archive in ARCHIVES.items():
        content = records(options.strips / archive)
        write_atomically(options.output / f"{batch}.bin", content)
        print(f"{batch}.bin  {len(content)} bytes  sha1 {hashlib.sha1(content).hexdigest()}")  # noqa: S324 - what others publish


def records(archive: Path) -> bytes:
    """The 10,000 records of a batch: label, red plane, green plane, blue plane."""
    with zipfile.ZipFile(archive) as strips:
        images = [
            np.asarray(Image.open(io.BytesIO(strips.read(name))).convert("RGB"))
            for name in sorted(strips.namelist())
            if name.endswith(".webp")
        ]
        labels = np.load(io.BytesIO(strips.read("labels.npy")))
    planes = np.concatenate(images).reshape(-1, 32 * 32, 3).transpose(0, 2, 1)
    return np.column_stack([labels, planes.reshape(len(labels), -1)]).tobytes()


if __name__ == "__main__":
    main()
