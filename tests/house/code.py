"""Figures of the package's code: lengths, types, names, docstrings, imports."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from .source import TOP, Definition, Place, Source

_NO_WORD = ("Give", "Tell whether", "Tells whether")


def percentile(values: Iterable[int], percent: int) -> int:
    """The value that so many percent of all do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0


def lengths(files: Sequence[Source]) -> list[int]:
    """The lines of every file, without the `__init__` of rooms, which hold a docstring."""
    return [file.length for file in _modules(files)]


def short(files: Sequence[Source], below: int = 40) -> list[Place]:
    """The modules of fewer lines: one wants a neighbour."""
    return [Place(file.path, 1, f"{file.length} lines") for file in _modules(files) if file.length < below]


def long_files(files: Sequence[Source], most: int = 500) -> list[Place]:
    """The files of more lines."""
    return [Place(file.path, 1, f"{file.length} lines") for file in files if file.length > most]


def function_lengths(files: Sequence[Source]) -> list[int]:
    """The lines of code of every function."""
    return [file.code_of(function) for file in files for function in file.functions]


def long_functions(files: Sequence[Source], most: int = 30) -> list[Place]:
    """The functions with more lines of code."""
    return [
        Place(file.path, function.lineno, f"{function.name}: {lines} lines of code")
        for file in files
        for function in file.functions
        if (lines := file.code_of(function)) > most
    ]


def comments_per_hundred(files: Sequence[Source]) -> float:
    """How many comments there are for a hundred lines of code."""
    code = sum(len(file.code_lines) for file in files)
    return 100 * sum(len(file.comments) for file in files) / code if code else 0.0


def shared_names(files: Sequence[Source]) -> list[Place]:
    """Every class whose name another class of other meaning has as well; one place for each name, with all files."""
    found: defaultdict[str, list[tuple[Source, int]]] = defaultdict(list)
    for file in files:
        for node in file.nodes:
            if isinstance(node, ast.ClassDef):
                found[node.name].append((file, node.lineno))
    return [
        Place(places[0][0].path, places[0][1], f"{name}, also in {', '.join(_name(file) for file, _ in places[1:])}")
        for name, places in sorted(found.items())
        if len(places) > 1
    ]


def odd_docstrings(files: Sequence[Source]) -> list[Place]:
    """The docstrings in translated English: they begin with "Give" or "Tell whether"."""
    return [
        Place(file.path, _line(node), (ast.get_docstring(node) or "").splitlines()[0])
        for file in files
        for node in file.documented
        if (ast.get_docstring(node) or "").startswith(_NO_WORD)
    ]


def undocumented(files: Sequence[Source]) -> list[Place]:
    """What is public and has no docstring."""
    things = ((file, name, node) for file in files for name, node in _public(file))
    return [Place(file.path, _line(node), name) for file, name, node in things if not ast.get_docstring(node)]


def any_types(files: Sequence[Source]) -> list[Place]:
    """Every `Any`, its imports included."""
    imports = (
        Place(file.path, node.lineno, "import Any")
        for file in files
        for node in file.nodes
        if isinstance(node, ast.ImportFrom) and any(one.name == "Any" for one in node.names)
    )
    return [*imports, *(place for file in files for place in _names(file, "Any"))]


def loose_types(files: Sequence[Source]) -> list[Place]:
    """Every `Any`, every argument that is an `object`, every `cast` and `assert isinstance`."""
    return any_types(files) + [
        place for file in files for find in (_objects, _casts, _asserted) for place in find(file)
    ]


def yaml_outside_settings(files: Sequence[Source]) -> list[Place]:
    """The imports of `yaml` outside the room `settings/`."""
    return [
        Place(file.path, node.lineno, "import yaml")
        for file in files
        if "settings" not in file.path.relative_to(TOP).parts
        for node in file.nodes
        if (isinstance(node, ast.Import) and any(one.name.split(".")[0] == "yaml" for one in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "yaml")
    ]


def import_cycles(files: Sequence[Source]) -> list[Place]:
    """The circles in which modules import one another, also only for their types; one place for each circle."""
    modules = {_module(file): file for file in files}
    graph = {name: _imported(name, file, modules) for name, file in modules.items()}
    return [Place(modules[circle[0]].path, 1, " <-> ".join(circle)) for circle in _circles(graph)]


def _modules(files: Sequence[Source]) -> list[Source]:
    return [file for file in files if file.path.name not in ("__init__.py", "__main__.py")]


def _name(file: Source) -> str:
    return str(file.path.relative_to(TOP))


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 1)


def _public(file: Source) -> Iterator[tuple[str, ast.Module | ast.ClassDef | Definition]]:
    """The module and its public classes, functions and methods; not what is inside a function or private class."""
    yield "the module", file.tree
    waiting: list[ast.Module | ast.ClassDef] = [file.tree]
    while waiting:
        for node in waiting.pop().body:
            if isinstance(node, ast.ClassDef | Definition) and not (node.name.startswith("_") or _is_described(node)):
                yield node.name, node
                if isinstance(node, ast.ClassDef):
                    waiting.append(node)


def _is_described(node: ast.ClassDef | Definition) -> bool:
    """Return whether something of the same name beside it has the docstring: the getter, or what is overloaded."""
    return any(ast.unparse(one).endswith((".setter", ".deleter", "overload")) for one in node.decorator_list)


def _names(file: Source, name: str) -> Iterator[Place]:
    for node in file.nodes:
        if isinstance(node, ast.Name) and node.id == name:
            yield Place(file.path, node.lineno, name)


def _objects(file: Source) -> Iterator[Place]:
    """The arguments whose type says nothing; those called `_` are not looked at, so theirs need not."""
    for node in file.nodes:
        if isinstance(node, ast.arg) and not node.arg.startswith("_") and _says_nothing(node.annotation):
            yield Place(file.path, node.lineno, f"{node.arg}: object")


def _says_nothing(annotation: ast.expr | None) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id == "object"


def _casts(file: Source) -> Iterator[Place]:
    return _names(file, "cast")


def _asserted(file: Source) -> Iterator[Place]:
    for node in file.nodes:
        if isinstance(node, ast.Assert) and ast.unparse(node.test).startswith("isinstance("):
            yield Place(file.path, node.lineno, "assert isinstance")


def _module(file: Source) -> str:
    return ".".join(file.path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")


def _imported(importing: str, file: Source, modules: dict[str, Source]) -> set[str]:
    """The modules of the package that a file imports by their names, without those above it."""
    found: set[str] = set()
    for node in file.nodes:
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = importing.split(".") if file.path.name == "__init__.py" else importing.split(".")[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            below = {f"{base}.{one.name}" for one in node.names}
            found |= {name if name in modules else base for name in below}
    return {name for name in found if name in modules and name != importing}


def _circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Every set of modules that reach one another (Tarjan's strongly connected components of two and more)."""
    reached = {name: _reach(graph, name) for name in graph}
    circles = {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in graph}
    return [list(circle) for circle in sorted(circles) if len(circle) > 1]


def _reach(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph[waiting.pop()] - seen:
            seen.add(name)
            waiting.append(name)
    return seen
