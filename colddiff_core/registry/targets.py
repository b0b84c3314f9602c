"""What can be said of a component's class without importing it.

`colddiff plugins list` shows a component as broken if its class is not there or is of no use, and
yet imports no torch. So the source is parsed: a name that a module does not bind is missing, and
bases are followed from module to module until one of colddiff's contracts, or something that
cannot be followed, which is given the benefit of the doubt. Using the component decides.
"""

import ast
import builtins
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, resolve_name
from pathlib import Path

from colddiff_core.registry.hookspecs import CONTRACTS

_CONTRACTS = {contract.partition(":")[2] for contract in CONTRACTS.values()}
_FOREIGN = sys.stdlib_module_names | {"torch"}  # whose classes are none of ours
_UNKNOWN = "?"  # what cannot be followed; among a module's names: those that cannot be seen


def fault_of(target: str, kind: str) -> str | None:
    """Why `target` cannot be a component, as far as its source tells; None if it may be one.

    Args:
        target: `"package.module:Class"`.
        kind: one of `colddiff_core.registry.hookspecs.KINDS`.
    """
    contract = CONTRACTS[kind].partition(":")[2]
    module, _, name = target.partition(":")
    if _spec(module) is None:
        return f"there is no module {module}"
    if not {name, _UNKNOWN} & _names(module).keys():
        return f"{module} has no {name}"
    if {contract, _UNKNOWN} & _roots(f"{module}.{name}"):
        return None
    return f"{target} is not a {contract}; derive it from colddiff_core.{contract}"


def _roots(dotted: str) -> set[str]:
    """The contracts, or what is unknown, that `package.module.Class` comes from in the end."""
    roots, seen, waiting = set(), set(), {dotted}
    while waiting:
        current = waiting.pop()
        seen.add(current)
        module, _, name = current.rpartition(".")
        package = module.partition(".")[0]
        if package == "colddiff_core" and name in _CONTRACTS:
            roots.add(name)
        elif current == _UNKNOWN or (package not in _FOREIGN and name not in _names(module)):
            roots.add(_UNKNOWN)
        elif package not in _FOREIGN:
            waiting |= set(_names(module)[name]) - seen
    return roots


@cache
def _names(module: str) -> dict[str, list[str]]:
    """What a module binds at its top level, each name with the dotted names that it comes from."""
    spec = _spec(module)
    if spec is None or not (spec.origin or "").endswith(".py"):
        return {_UNKNOWN: []}
    names: dict[str, list[str]] = {}
    try:
        source = Path(f"{spec.origin}i")  # a stub says what a module gives lazily
        source = source if source.is_file() else source.with_suffix(".py")
        for node in ast.parse(source.read_bytes()).body:
            for name, origins in _bindings(node, spec, names):
                names[_UNKNOWN if name in ("*", "__getattr__") else name] = origins
    except (OSError, SyntaxError, ValueError, ImportError, RecursionError, MemoryError):
        names[_UNKNOWN] = []  # using it will tell
    return names


def _bindings(
    node: ast.AST, spec: ModuleSpec, names: Mapping[str, list[str]]
) -> Iterator[tuple[str, list[str]]]:
    match node:
        case ast.ClassDef():
            yield node.name, [_origin(ast.unparse(base), spec.name, names) for base in node.bases]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name, []
        case ast.Import():
            for alias in node.names:
                first = alias.name.partition(".")[0]
                yield alias.asname or first, [alias.name if alias.asname else first]
        case ast.ImportFrom():
            origin = resolve_name("." * node.level + (node.module or ""), spec.parent)
            for alias in node.names:
                yield alias.asname or alias.name, [f"{origin}.{alias.name}"]
        case ast.Name(ctx=ast.Store()):
            yield node.id, [_UNKNOWN]
        case _:  # what is bound in an `if`, `try`, assignment, …: by which of its parts is unknown
            for inner in ast.iter_child_nodes(node):
                for name, _ in _bindings(inner, spec, names):
                    yield name, [_UNKNOWN]


def _origin(base: str, module: str, names: Mapping[str, list[str]]) -> str:
    """The dotted name of a base of a class, as a module writes it."""
    first, _, rest = base.partition(".")
    if not base.replace(".", "").isidentifier():
        return _UNKNOWN
    if first not in names and hasattr(builtins, first):
        return f"builtins.{base}"
    return ".".join([*names.get(first, [_UNKNOWN])[:1], rest]) if rest else f"{module}.{first}"


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
