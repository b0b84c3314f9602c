"""`colddiff plugins new`: a package that works, to put one's own formula into."""

import keyword
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from colddiff_cli.console import err, out
from colddiff_cli.options import kind_name, option, output_option
from colddiff_core.contracts.errors import UsageError
from colddiff_core.registry.components import registry
from colddiff_core.registry.hookspecs import KINDS

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40

_TEMPLATES = files("colddiff_cli.plugins") / "templates"


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What users will write, e.g. `fog`.")],
    kind: Annotated[
        str, option("KIND", f"{', '.join(KINDS[:-1])} or {KINDS[-1]}.", parser=kind_name)
    ] = KINDS[0],
    target: Annotated[
        Path | None, output_option("DIR", "The folder to make.", "colddiff-NAME")
    ] = None,
) -> None:
    """Make a plugin: a package that works, with the formula to be replaced by yours.

    It has an entry point, a test for each promise of its kind, a recipe to try it on, a README and
    a CI file, and can be published as it is.

    Example: `colddiff plugins new fog --kind degradation`
    """
    _check(name, kind)
    folder = target or Path(f"colddiff-{name}")
    if folder.exists():
        raise UsageError(f"{folder}: exists; name another folder with -o")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        for path, text in _files(name, kind):
            target = made / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        shutil.move(made, folder)
    module = f"{_package(name)}/{_module(name)}.py"
    out.print(str(folder))
    err.print(
        f"The formula is in {folder / module}. Then:",
        f"  pip install -e {folder}",
        f"  colddiff plugins check {folder}",
        sep="\n",
    )


def _check(name: str, kind: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"{name!r}: expected at most {_LONGEST} lower-case letters, digits and hyphens that "
            f"begin with a letter, e.g. 'fog' or 'motion-blur'"
        )
    for item in registry().components(kind):
        if item.is_called(name):
            raise UsageError(
                f"{name!r}: is a {kind} of {item.distribution} already; take another name"
            )


def _files(name: str, kind: str) -> Iterator[tuple[str, str]]:
    """Paths in the new folder and what they hold."""
    package, module = _package(name), _module(name)
    about = tomllib.loads((_TEMPLATES / "kinds.toml").read_text(encoding="utf-8"))
    article = "An" if kind == "exporter" else "A"
    words = {
        "name": name,
        "kind": kind,
        "package": package,
        "module": module,
        "cls": "".join(part.capitalize() for part in name.split("-")),
        "distribution": f"colddiff-{name}",
        "summary": about["summary"][kind],
        "release": _release(),
        "article": article,
        "article_lower": article.lower(),
    }
    usage = about["usage"].get(kind, "colddiff train $name-demo -o model")
    words["usage"] = Template(usage).substitute(words)
    has_recipe = kind != "exporter"  # a recipe does not name one
    layout = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        ".github/workflows/ci.yml": "ci.yml",
        f"{package}/__init__.py": "init_recipes.py" if has_recipe else "init.py",
        f"{package}/{module}.py": f"{kind}/module.py",
        f"tests/test_{module}.py": f"{kind}/test.py",
    }
    for path, template in layout.items():
        text = (_TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")
        yield path, Template(text).substitute(words)
    yield f"{package}/py.typed", ""
    if has_recipe:
        yield f"{package}/recipes/__init__.py", '"""Recipes, to be trained by name."""\n'
        yield f"{package}/recipes/{name}-demo.toml", _recipe(name, kind, about["recipe"])


def _recipe(name: str, kind: str, tables: dict[str, str]) -> str:
    table = "data" if kind == "dataset" else kind
    tables = {**tables, table: f'[{table}]\nname = "{name}"\n'}
    summary = f'summary = "{name.capitalize()} on two cores, in a few minutes"\n'
    return "\n".join([summary, *tables.values()])


def _package(name: str) -> str:
    return f"colddiff_{name.replace('-', '_')}"


def _module(name: str) -> str:
    module = name.replace("-", "_")
    return f"{module}_" if keyword.iskeyword(module) else module


def _release() -> str:
    """The oldest release that a plugin made today may ask for: this minor version."""
    return ".".join(version("colddiff").split(".")[:2])
