"""A Python file as the bars see it: its tree, its lines of code, its comments and its functions."""

from __future__ import annotations

import ast
import io
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

TOP = Path(__file__).parents[2]
#: What a token has to be to make its line no line of code.
_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
Definition = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Definition | ast.ClassDef | ast.Module


@dataclass(frozen=True)
class Place:
    """Where something was found, and what: printed as `file:line: what`."""

    file: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(TOP)}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Source:
    """One Python file of the tree."""

    path: Path

    @cached_property
    def text(self) -> str:
        """Its whole text."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of that tree: a dozen bars look at them all."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def length(self) -> int:
        """How many lines it has, blank ones included."""
        return len(self.text.splitlines())

    @cached_property
    def code_lines(self) -> frozenset[int]:
        """The numbers of the lines that hold code: no comment, docstring or blank line."""
        spans = ((one.start[0], one.end[0]) for one in self._tokens if one.type not in _SILENT)
        found = {line for first, last in spans for line in range(first, last + 1)}
        return frozenset(found.difference(self._docstring_lines()))

    @cached_property
    def comments(self) -> list[Place]:
        """Its comments that say something to people: none that a tool reads (`noqa`, `type:`, `fmt:`, `pragma`)."""
        found = (one for one in self._tokens if one.type == tokenize.COMMENT)
        return [
            Place(self.path, one.start[0], one.string)
            for one in found
            if not one.string.removeprefix("#").strip().startswith(("noqa", "type:", "fmt:", "pragma", "!"))
        ]

    @cached_property
    def documented(self) -> list[Documented]:
        """What may have a docstring: the module, its classes and its functions."""
        return [node for node in self.nodes if isinstance(node, Documented)]

    @cached_property
    def functions(self) -> list[Definition]:
        """Its functions and methods, inner ones included."""
        return [node for node in self.documented if isinstance(node, Definition)]

    def code_of(self, function: Definition) -> int:
        """How many lines of code a function has, its head included."""
        assert function.end_lineno
        return len(self.code_lines.intersection(range(function.lineno, function.end_lineno + 1)))

    @cached_property
    def _tokens(self) -> list[tokenize.TokenInfo]:
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    def _docstring_lines(self) -> Iterator[int]:
        for node in self.documented:
            first = node.body[0] if node.body else None
            if ast.get_docstring(node) is not None and isinstance(first, ast.Expr) and first.end_lineno:
                yield from range(first.lineno, first.end_lineno + 1)


@lru_cache(maxsize=1)
def tracked() -> tuple[Path, ...]:
    """Every file that Git keeps or would keep, which neither what it ignores nor links are."""
    command = ["git", "-C", str(TOP), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(
        path for path in (TOP / name for name in sorted(set(names))) if path.is_file() and not path.is_symlink()
    )


@lru_cache(maxsize=8)
def sources(under: str) -> tuple[Source, ...]:
    """The Python files below a folder, or one file."""
    place = TOP / under
    return tuple(
        Source(path) for path in tracked() if path.suffix == ".py" and (path == place or place in path.parents)
    )
