"""Fetch free photographs to train on: wallpapers and landscapes from Debian's archive.

    python scripts/fetch_photographs.py photographs

Needs Debian or Ubuntu (`apt-get download`, `dpkg-deb`) and Pillow; no root. The packages are
unpacked into a temporary folder, drawings and copies of one picture in several sizes are left out,
and what remains is brought to about one megapixel, and JPEG files to half their size at least,
which removes noise and the traces of JPEG. Written are PNG files, and in `licences/` the
`copyright` file of each package with the authors of its pictures.

| package | what is taken | licence |
|---|---|---|
| `mate-backgrounds` | 12 photographs, a painting | GPL-2+; authors in its copyright file |
| `gnome-backgrounds` | 4 rendered | CC BY-SA 3.0, Jakub Steiner and others |
| `lomiri-wallpapers-16.04`, `-20.04` | 15 photographs | CC BY 4.0, CC BY-SA 3.0 and 4.0, CC0 |
| `plasma-workspace-wallpapers` | 10 photographs, 6 rendered | LGPL-3, CC BY-SA 4.0, GPL-2+ |
| `ukui-wallpapers` | 2 rendered | CC BY-SA 3.0, Ubuntu Kylin community |
| `stellarium-data` | 19 landscapes, walls, the Moon | GPL-2+, authors of Stellarium |

Attribution of a model trained on them: name the packages and their licences, as above.
"""

import argparse
import math
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

MEGAPIXELS = 1.0
TOP_LEFT_OUT = 0.55  # of pictures whose sky is empty
SELECTED = {
    "mate-backgrounds": [
        "mate/nature/*.jpg",
        "mate/abstract/Elephants_5640x3172.jpg",
    ],
    "gnome-backgrounds": [
        f"gnome/{name}-l.webp" for name in ("licorice", "pixels", "wood", "grid")
    ],
    "lomiri-wallpapers-16.04": ["*_by_[!A]*.jpg", "*_by_Aitzol_*.jpg"],
    "lomiri-wallpapers-20.04": ["Kleiber_*.jpg"],
    "plasma-workspace-wallpapers": [
        *(
            f"{name}/contents/images/2560x1600.jpg"
            for name in (
                *("BytheWater", "ColdRipple", "ColorfulCups", "EveningGlow", "FallenLeaf", "Grey"),
                *("Kite", "OneStandsOut", "Path", "summer_1am"),
            )
        ),
        *(
            f"{name}/contents/images/5120x2880.*"
            for name in ("Altai", "Patak", "SafeLanding", "Volna", "Shell")
        ),
        "Opal/contents/images/3840x2160.png",
    ],
    "ukui-wallpapers": ["rhythm.jpg", "string.jpg"],
    "stellarium-data": [
        "landscapes/garching/garching-g*.png",
        "landscapes/guereins/guereinsb.png",
        "landscapes/hurricane/hurricane?.png",
        "landscapes/mars/mars.png",
        "TX_Stellarium-Testscene_withGrid/Stein_Mauerwerk_mehrfarbig.png",
        "TX_Stellarium-Testscene_withGrid/Stein_Platte_Quaderstein.png",
        "textures/moon_4k.jpg",
    ],
}
CUT = ("garching-gl", "hurricane", "mars")


def main() -> None:
    """Read the command line, fetch and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures are to be written")
    folder = parser.parse_args().folder
    (folder / "licences").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        subprocess.run(["apt-get", "download", *SELECTED], cwd=work, check=True)
        for package, patterns in SELECTED.items():
            (archive,) = work.glob(f"{package}_*.deb")
            unpacked = work / package
            subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
            shutil.copy(
                unpacked / "usr/share/doc" / package / "copyright",
                folder / "licences" / f"{package}.txt",
            )
            found = [path for pattern in patterns for path in unpacked.rglob(pattern)]
            for path in sorted(path for path in found if not path.is_symlink()):
                write(path, folder / f"{name(package, path)}.png")
            print(f"{package}: {len(found)} pictures")


def name(package: str, path: Path) -> str:
    """A name for a picture: its own, or its folder's where the file is called after its size."""
    own = path.parents[2].name if path.stem[0].isdigit() else path.stem
    return f"{package.split('-')[0]}-{own}"


def write(source: Path, target: Path) -> None:
    """Bring a picture to size."""
    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    if source.stem.startswith(CUT):
        picture = picture.crop((0, int(TOP_LEFT_OUT * picture.height), *picture.size))
    pixels = picture.width * picture.height
    factor = max(math.sqrt(pixels / (MEGAPIXELS * 1e6)), 2 if source.suffix == ".jpg" else 1)
    size = (round(picture.width / factor), round(picture.height / factor))
    picture.resize(size, Image.Resampling.LANCZOS).save(target, optimize=True)


if __name__ == "__main__":
    main()
