"""Hooks of mkdocs (see mkdocs.yml): which files the site is made of.

Every page keeps the place that it has in the repository, and what it links to comes along, so that
a relative link means the same on the site as where the repository is browsed. The two references
are made from the code as the site is built.
"""

import os
import re
from mimetypes import guess_type
from pathlib import Path

import griffe
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.cli import get_docs_for_click

import colddiff_core
from colddiff_core.registry.switches import ONLY

_ROOT = Path(__file__).resolve().parent.parent
_PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
_LINK = re.compile(r"\]\(([^)#:\s]+)[^)]*\)")
_SUMMARIES = re.compile(r"\*\*Commands\*\*:\n\n(\* .*\n)+\n?")  # typer cuts them short
_PARTS = {
    "contracts": "Contracts",
    "registry": "Plugins and their components",
    "process": "The process",
    "models": "Recipes and models",
    "pictures": "Pictures",
    "restoration": "Restoring",
    "training": "Training",
    "evaluation": "Evaluation",
    "disk": "Files",
    "testing": "Tests of plugins",
}
_HOOKS = """
    options:
      show_root_heading: false
      filters: ["^colddiff_"]
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the contents of `docs_dir` by pages and files at their places in the repository."""
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    waiting = [*_PAGES, *(str(path.relative_to(_ROOT)) for path in _ROOT.glob("docs/**/*"))]
    while waiting:
        path = waiting.pop()
        if not (_ROOT / path).is_file() or files.get_file_from_path(path):
            continue  # a link to nothing is for mkdocs to report
        file = File(path, str(_ROOT), config.site_dir, config.use_directory_urls)
        if file.is_documentation_page():
            links = _LINK.findall(file.content_string)
            waiting += [os.path.normpath(Path(path).parent / link) for link in links]
        elif not (guess_type(path)[0] or "").startswith("image/"):
            file.dest_uri += ".txt"  # shown by a browser, rather than saved
        files.append(file)
    files.append(File.generated(config, "docs/api.md", content=_api()))
    files.append(File.generated(config, "docs/cli.md", content=_command_line()))
    return files


def _api() -> str:
    package = griffe.load("colddiff_core", search_paths=[_ROOT])
    part_of = {name: package[name].target_path.split(".")[1] for name in colddiff_core.__all__}
    lines = [
        "# Python",
        "All public names, each to be had by `from colddiff_core import …`; nothing is imported",
        "before it is used.",
    ]
    for part in sorted({*part_of.values()}, key=[*_PARTS].index):
        names = sorted((n for n in part_of if part_of[n] == part), key=str.lower)
        lines += ["", f"## {_PARTS[part]}", *(f"\n::: colddiff_core.{name}" for name in names)]
    lines += ["", "## Hooks", f"\n::: colddiff_core.registry.hookspecs{_HOOKS}"]
    return "\n".join(lines)


def _command_line() -> str:
    os.environ[ONLY] = ""  # no command of a plugin that happens to be installed
    from colddiff_cli.main import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="colddiff")
    return _SUMMARIES.sub("", text.replace("# `colddiff`", "# Command line", 1))
