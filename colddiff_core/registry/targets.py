"""What can be said of a component's class without importing it.

`colddiff plugins list` shows a component as broken if its class is not there or is of no use, and
yet imports no torch. So the source is parsed: a name that a module does not bind is missing, and
bases are followed from module to module until one of colddiff's contracts, or something that
cannot be followed, which is given the benefit of the doubt. Using the component decides.
"""

import ast
import builtins
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from colddiff_core.registry.hookspecs import CONTRACTS

_CONTRACTS = dict(contract.split(":") for contract in CONTRACTS.values())
_FOREIGN = sys.stdlib_module_names | {"torch"}  # whose classes are none of ours
_UNKNOWN = "?"  # a base, or a name, that cannot be followed
_DEPTH = 8  # modules followed from a class to its base


def fault_of(target: str, kind: str) -> str | None:
    """Why `target` cannot be a component, as far as its source tells; None if it may be one.

    Args:
        target: `"package.module:Class"`.
        kind: one of `colddiff_core.registry.hookspecs.KINDS`.
    """
    contract = CONTRACTS[kind].partition(":")[2]
    module, _, name = target.partition(":")
    if _is_plain(module, name, contract):
        return None
    tree = _tree(module)
    if tree is None:
        return f"there is no module {module}"
    if name not in tree and "*" not in tree:
        return f"{module} has no {name}"
    roots = set(_roots(module, name, _DEPTH))
    if _UNKNOWN in roots or contract in roots:
        return None
    return f"{target} is not a {contract}; derive it from colddiff_core.{contract}"


def _roots(module: str, name: str, depth: int) -> Iterator[str]:
    """The contracts, other known classes and unknowns that a name of a module comes from."""
    if name in _CONTRACTS.values() and _CONTRACTS.get(module, name) == name and _is_core(module):
        yield name
        return
    if module.partition(".")[0] in _FOREIGN:
        yield "object"
        return
    tree = _tree(module)
    node = None if tree is None else tree.get(name)
    if isinstance(node, ast.ClassDef):
        yield "object"
        for base in node.bases:
            yield from _base(module, base, depth - 1)
    elif isinstance(node, ast.ImportFrom | ast.Import) and depth:
        yield from _base(module, ast.Name(name), depth - 1)
    else:
        builtin = node is None and tree is not None and hasattr(builtins, name)
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield "object" if builtin or function else _UNKNOWN


def _base(module: str, base: ast.expr, depth: int) -> Iterator[str]:
    """Where a base of a class, a name with dots or without, comes from."""
    first, *rest = ast.unparse(base).split(".")
    node = (_tree(module) or {}).get(first)
    if isinstance(node, ast.Import | ast.ImportFrom) and depth:
        original = next(
            (alias.name for alias in node.names if alias.asname == first),
            first,
        )
        origin = [_absolute(module, node)] if isinstance(node, ast.ImportFrom) else []
        *path, name = ".".join([*origin, original, *rest]).split(".")
        yield from _roots(".".join(path), name, depth)
    elif rest or not depth:
        yield _UNKNOWN
    else:
        yield from _roots(module, first, depth)


def _is_plain(module: str, name: str, contract: str) -> bool:
    """Whether the class is derived from the contract in so many words; saves parsing the module."""
    source = _source(module) or b""
    derived = rf"^class {name}\({contract}\):"
    imported = rf"^from colddiff_core(\.\w+)? import .*\b{contract}\b(?! as)"
    return all(re.search(text.encode(), source, re.MULTILINE) for text in (derived, imported))


@cache
def _source(module: str) -> bytes | None:
    """The source of a module; None if there is none to be seen."""
    spec = _spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        return Path(spec.origin).read_bytes()
    except OSError:
        return None


@cache
def _tree(module: str) -> dict[str, ast.stmt] | None:
    """What a module binds at its top level; None if there is no such module.

    `*` stands for all that cannot be seen: a star import, a `__getattr__`, no source at all.
    """
    if _spec(module) is None:
        return None
    source = _source(module)
    if source is None:
        return {"*": ast.Pass()}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return {"*": ast.Pass()}  # using it will tell
    return dict(_bindings(tree.body))


def _bindings(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ("*" if node.name == "__getattr__" else node.name), node
        elif isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], node
        else:  # names bound in an `if`, `try`, assignment, …
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    yield inner.id, node
                elif isinstance(inner, ast.ClassDef):
                    yield inner.name, node
                elif isinstance(inner, ast.ImportFrom | ast.Import):
                    for alias in inner.names:
                        yield alias.asname or alias.name.partition(".")[0], node


@cache
def _spec(module: str) -> ModuleSpec | None:
    """Find a module without importing its parents, which `importlib.util.find_spec` would."""
    parent = module.rpartition(".")[0]
    try:
        if not parent:
            return find_spec(module)
        above = _spec(parent)
        places = above and above.submodule_search_locations
        return PathFinder.find_spec(module, places) if places else None
    except (ImportError, ValueError, AttributeError):
        return None


def _is_core(module: str) -> bool:
    return module.partition(".")[0] == "colddiff_core"


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    spec = _spec(module)
    package = module if spec and spec.submodule_search_locations else module.rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{node.module}" if node.module else package
