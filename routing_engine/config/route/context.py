"""What the reading of one route needs everywhere: where problems go, what the route may use, and its small words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import re2

from routing_engine.core.model import Operand, Pattern, Site, Template
from routing_engine.core.templates import read_operand, read_template
from routing_engine.settings.integration import IntegrationFacts
from routing_engine.settings.value_types import ValueType, parsed
from routing_engine.settings.yaml_reader import Problems, Section, YamlValue, suggest

# As much memory as one compiled pattern may take, and the longest text that is compiled at all.
_NEEDED_BYTES = 1 << 20
_LONGEST_PATTERN = 1000


@dataclass(frozen=True, slots=True)
class RouteContext:
    """One route's file while it is read, and what it may use.

    `routes` are the names of all routes; None when they are not known. `inputs` fills as they are read: name, and
    whether its digits are sensitive. Without `site`, engine.yaml could not be read, and what it has is not known.
    """

    notes: Problems
    integrations: Mapping[str, IntegrationFacts]
    routes: Collection[str] | None = None
    site: Site | None = None
    inputs: dict[str, bool] = field(default_factory=dict)

    def left(self, place: YamlValue, text: str, has_record: bool = True) -> Operand | None:
        """Read a left side that stands at `place`; None, with the problem noted, when it cannot be used there."""
        try:
            left = read_operand(text)
        except ValueError as error:
            place.note(str(error), "name a field of the record, call.FIELD or input")
            return None
        return left if self._may_use(place, left, has_record) else None

    def template(self, place: YamlValue, text: str, has_record: bool = True, shows: bool = False) -> Template | None:
        """Read a template that stands at `place`; None, with every problem noted, when it cannot be used there.

        `shows` is for texts that leave the engine, where sensitive digits have no place.
        """
        try:
            template = read_template(text)
        except ValueError as error:
            place.note(str(error), "write values as {field}, {call.caller} or {input}; {{ and }} are braces")
            return None
        # Both lists whole, so that every problem of a text is noted in one reading.
        usable = [self._may_use(place, left, has_record) for left in template.operands]
        usable += [self._may_show(place, left, shows) for left in template.operands]
        return template if all(usable) else None

    def _may_use(self, place: YamlValue, left: Operand, has_record: bool) -> bool:
        fault = _RECORDLESS if left.scope in ("record", "data") and not has_record else self._stranger(left)
        if fault:
            place.note(fault[0].format(left), fault[1])
        return not fault

    def _stranger(self, left: Operand) -> tuple[str, str] | None:
        """Say what is wrong with a left side that names something nobody has made."""
        if left.scope == "input":
            return self._no_input(left)
        # What could not be read is not called unknown: its own problem says more.
        if self.site is None:
            return None
        if left.scope == "list" and left.name not in self.site.lists:
            return f"there is no list '{left.name}'", _found(left.name, self.site.lists, "lists: in engine.yaml")
        if left.scope == "call" and left.name.startswith("calendar"):
            return self._no_calendar(left.name.partition(".")[2], self.site.calendars)
        return None

    def _no_input(self, left: Operand) -> tuple[str, str] | None:
        if not self.inputs:
            return "this uses the input, but the route asks for none", "add 'input:' to the route, above what uses it"
        if not left.name and len(self.inputs) > 1:
            return "it is not said which input is meant", f"write input.{next(iter(self.inputs))}"
        if left.name and left.name not in self.inputs:
            return f"there is no input '{left.name}'", suggest(left.name, self.inputs)
        return None

    def _no_calendar(self, name: str, calendars: Collection[str]) -> tuple[str, str] | None:
        named = [one for one in calendars if one]
        if name in calendars:
            return None
        # "" is the calendar that `call.calendar` means where there is only one.
        if not name and named:
            return "it is not said which calendar is meant", f"write call.calendar.{named[0]}, or call one 'default'"
        return f"there is no calendar '{name}'", _found(name, named, "calendars: in engine.yaml")

    def _may_show(self, place: YamlValue, left: Operand, shows: bool) -> bool:
        if left.live:
            place.note(f"'{left}' can only stand on the left of a condition", "write a rule for it")
            return False
        # `input` without a name is the first one, and there is only one where that is allowed.
        sensitive = next(iter(self.inputs.values()), False) if not left.name else self.inputs.get(left.name, False)
        if shows and left.scope == "input" and sensitive:
            sentence = f"'{left}' is sensitive and may not leave the engine"
            place.note(sentence, "search by it or compare it, or remove 'sensitive'")
            return False
        return True


_RECORDLESS = ("there is no record here that '{}' could come from", "use call.FIELD or input")


def _found(name: str, known: Collection[str], place: str) -> str:
    return suggest(name, known) if known else f"make it under {place}"


NOTHING = Template(())
_BY = {"caller": Operand("call", "caller"), "called": Operand("call", "called"), "input": Operand("input", "")}


def read_by(value: YamlValue, context: RouteContext) -> Template:
    """Read `by`: caller, input, called, a left side of the call, or a template of them."""
    text = value.text()
    if text is None:
        return NOTHING
    if "{" in text or "}" in text:
        return context.template(value, text, has_record=False) or NOTHING
    text = str(_BY.get(text, text))
    # A search by a field of a record would need the record that it is to find.
    if text.partition(".")[0].strip() not in ("call", "input"):
        value.note(f"'by' cannot be '{text[:80]}'", "write caller, input, called, call.FIELD or '{call.FIELD}'")
        return NOTHING
    return context.template(value, "{" + text + "}", has_record=False) or NOTHING


@dataclass(slots=True)
class UniqueNames:
    """Names that must differ: the line each one was first used on."""

    what: str
    lines: dict[str, int] = field(default_factory=dict)

    def enter(self, section: Section, name: str) -> None:
        """Note a name that is there already."""
        if name in self.lines:
            section.note(
                "name",
                f"{self.what} '{name}' stands here twice (first on line {self.lines[name]})",
                "rename one of them",
            )
        # The first line stays: a third of the name is told where the first one is.
        self.lines.setdefault(name, section.line_of("name"))


def name_of(longest: int = 80) -> ValueType[str]:
    """Return the type of a name: one line of at most `longest` characters."""

    def read_name(text: str) -> str:
        name = text.strip()
        if not name or "\n" in name or len(name) > longest:
            raise ValueError(f"a name is one line of at most {longest} characters")
        return name

    return parsed(read_name, f"text, {longest} characters", "give it a short name")


def read_pattern(value: YamlValue, _: str = "") -> Pattern | None:
    """Compile a regular expression with RE2, whose running time is linear; None, with the problem noted."""
    text = value.text()
    if text is None:
        return None
    options = re2.Options()
    # RE2 would write to standard error what is told with its line below.
    options.log_errors = False
    # A pattern of a route may not take the memory of the service: RE2 refuses what would need more.
    options.max_mem = _NEEDED_BYTES
    try:
        if len(text) > _LONGEST_PATTERN:
            raise ValueError(f"it is longer than {_LONGEST_PATTERN} characters")
        compiled: Pattern = re2.compile(text, options)
    except (re2.error, ValueError) as error:
        sentence = f"{value.what} is not an expression that can be used: {_reason(error)}"
        value.note(sentence, _pattern_remedy(str(error)))
        return None
    return compiled


PATTERN = ValueType(
    read_pattern, lambda _: {"type": "string"}, "regular expression ([RE2](conditions.md#regular-expressions))"
)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    # RE2's binding gives its reason as bytes.
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _pattern_remedy(reason: str) -> str:
    if "perl operator" in reason or "invalid escape" in reason:
        return "look-around and back-references are not supported (RE2 syntax); write it without them"
    return "write an expression in RE2 syntax"
