"""What goes wrong where people write YAML: why a text is none, in words that lead to the place, and what YAML reads
otherwise than it looks.

No sentence holds a value: it may be a secret.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import yaml

#: Line (from 1), sentence, remedy.
Fault: TypeAlias = tuple[int, str, str]

_OPENING, _CLOSING = "“„‟‘‚‛’«»‹›「『〝＂´”", "”“‟’‘‛»«›‹」』〞＂´\"'"
#: Those of the opening ones that are never an apostrophe, as in s-Hertogenbosch.
_DOUBLE = "“„‟«「『〝＂"
#: Marks that nobody sees, and that no language needs within a word.
_UNSEEN = re.compile("[\u200b\u2060\ufeff]")
#: A space that is none to YAML, where one belongs: at either end, or behind the colon of a key.
_LIKE_SPACE = re.compile("\\A[\u00a0\u2007\u202f\u3000]|[\u00a0\u2007\u202f\u3000]\\Z|:[\u00a0\u2007\u202f\u3000]")
_MARK_AT_END = re.compile(
    "\\A[\u200c-\u200f\u202a-\u202e\u2066-\u2069\u00ad]|[\u200d-\u200f\u202a-\u202e\u2066-\u2069\u00ad]\\Z"
)
_ANEW = "delete it and type this line anew; what is copied from a page or a chat brings such characters along"
_QUOTES = "write ' or \" around the text"
_OTHER_KIND = "close it on its line; a text that holds a quote stands in quotes of the other kind"
_USUAL = "look at the indentation and the quotes of this line; within { } what holds [ ] { } , or # needs quotes"


def hardly_meant(value: str, is_plain: bool, in_flow: bool) -> tuple[str, str] | None:
    """Return the fault of a scalar that is YAML, but not what its author sees; None where there is none.

    `is_plain` says that it stands without quotes, `in_flow` that it stands within [ ] or { }.
    """
    if is_plain and len(value) > 1 and value[0] in _OPENING and value[-1] in _CLOSING:
        return f"the quotes {value[0]} {value[-1]} are a part of this value, they do not enclose it", _QUOTES
    if is_plain and in_flow and value[:1] in set(_DOUBLE) and not any(mark in value[1:] for mark in _CLOSING):
        return f"the quote {value[0]} does not keep a text with a comma together", _QUOTES
    if value.isascii():
        return None
    if found := _UNSEEN.search(value) or _MARK_AT_END.search(value):
        return f"a character that nobody sees ({_name_of(found[0])}) is a part of this value", _ANEW
    if found := _LIKE_SPACE.search(value):
        return f"a character that looks like a space ({_name_of(found[0].lstrip(':'))}) is a part of this value", _ANEW
    return None


def _name_of(char: str) -> str:
    return f"U+{ord(char):04X}, {unicodedata.name(char, 'without a name').lower()}"


# ---------------------------------------------------------------------------------------------- a text that is none


#: What YAML 1.1 counts as the end of a line: an error's line is counted so, too.
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


def why_not_yaml(error: yaml.YAMLError | UnicodeError, text: str) -> Fault:
    """Return where a text stops being YAML, why, and what to do."""
    line, sentence, remedy = next(_reasons(error, text), (_line_of(error, text), _short(error), _USUAL))
    return line, f"this is not YAML: {sentence}", remedy


def _reasons(error: yaml.YAMLError | UnicodeError, text: str) -> Iterator[Fault]:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return
    context, problem = error.context or "", error.problem or ""
    line, column = error.problem_mark.line, error.problem_mark.column
    lines = _BREAK.split(text)
    here = lines[line] if line < len(lines) else ""
    begun = error.context_mark.line if error.context_mark else line
    if "another document" in problem or "document start" in problem:
        yield (
            line + 1,
            "a second document begins here, behind '---' or '...'",
            "write it into a file of its own",
        )
    if "\t" in here[: column + 1] and not here[:column].strip() and ("tab" in problem or "token" in problem):
        yield line + 1, "this line is indented with a tab", "write spaces, two for each level"
    if "quoted scalar" in context and "escape" not in problem:
        yield begun + 1, "the quote that opens on this line is never closed", _OTHER_KIND
    if "quoted scalar" in context:
        yield line + 1, 'within "..." a \\ begins a special character', "write the text in '...', where a \\ is a \\"
    yield from _quotes_before(text, line, column)
    if "anchor" in context or "alias" in context:
        yield line + 1, "a text cannot begin with & or *, which mean something else here", "put the text in quotes"
    if "token" in problem and here[column : column + 1] in set("@`%"):
        yield line + 1, f"a text cannot begin with {here[column]}", "put the text in quotes"
    yield from _structure(context, problem, line, begun, lines)


def _structure(context: str, problem: str, line: int, begun: int, lines: Sequence[str]) -> Iterator[Fault]:
    """Yield what is wrong with brackets and colons."""
    if "flow" in context:
        sign = "{" if "mapping" in context else "["
        where = "on this line" if begun == line else f"on line {begun + 1}"
        yield line + 1, f"the {sign} that opens {where} is not closed before this", _USUAL
    if "expected ':'" in problem:
        space = _LIKE_SPACE.search(lines[begun])
        called = f": a character that looks like a space ({_name_of(space[0].lstrip(':'))}) follows it" if space else ""
        yield begun + 1, f"this line has no colon with a space behind its key{called}", "write 'key: value'"
    if "mapping values" in problem:
        yield line + 1, "a second ': ' stands on this line, or it is indented too far", "put a text with ': ' in quotes"


def _quotes_before(text: str, line: int, column: int) -> Iterator[Fault]:
    """Yield what is wrong with the last text in quotes that ends on the line of an error."""
    last: yaml.ScalarToken | None = None
    try:
        for token in yaml.scan(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if (token.start_mark.line, token.start_mark.column) > (line, column):
                break
            if isinstance(token, yaml.ScalarToken) and token.style in ("'", '"'):
                last = token
    except yaml.YAMLError:
        pass
    if last is None or last.end_mark.line != line:
        return
    opened = last.start_mark.line
    if opened < line:
        yield opened + 1, f"the quote that opens on this line is closed only on line {line + 1}", _OTHER_KIND
    else:
        yield line + 1, "something follows behind the quote that closes a text", "write the quote within the text twice"


def _line_of(error: yaml.YAMLError | UnicodeError, text: str) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = getattr(error, "position", None)
    if mark is None and isinstance(position, int):
        return text.count("\n", 0, position) + 1
    return int(mark.line) + 1 if mark is not None else 1


def _short(error: yaml.YAMLError | UnicodeError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return str(problem)
