"""The inputs of a route: `input`, or `inputs` with names."""

from __future__ import annotations

import re
from typing import Literal, cast

from routing_engine.config.route.actions import read_action
from routing_engine.config.route.context import RouteContext, UniqueNames, read_pattern, refuse_empty, scalar
from routing_engine.config.route.prompts import read_input_languages, read_prompts
from routing_engine.core.check_digits import KEYS
from routing_engine.core.model import Action, Input, Pattern
from routing_engine.settings.yaml_reader import Section

_INPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]{0,39}\Z", re.ASCII)
_EXAMPLE = "name: customer_number"


def read_inputs(route: Section, page: RouteContext) -> tuple[Input, ...]:
    """Take `input` or `inputs`. Each is known to the page once it is read: what follows may use it."""
    one, several = route.section("input"), route.sections("inputs")
    if one is not None and route.has("inputs"):
        route.note("input", "'input' and 'inputs' stand side by side", "put it into the list of 'inputs', with a name")
    if one is not None:
        return (_read_input(one, page, "input"),)
    names, found = UniqueNames("the input"), []
    for section in several:
        name = _read_name(section)
        names.enter(section, name)
        found.append(_read_input(section, page, name))
    return tuple(found)


def _read_name(section: Section) -> str:
    section.require("name", _EXAMPLE)
    name = section.text("name")
    if name and not _INPUT_NAME.match(name):
        section.note("name", f"an input cannot be called '{name[:80]}'", f"write letters, digits and _: {_EXAMPLE}")
    return name


def _read_input(section: Section, page: RouteContext, name: str) -> Input:
    low, high = _read_lengths(section)
    found = Input(
        name=name,
        prompt=read_prompts(section, "prompt", page),
        attempts=section.whole("attempts", 3, 1, 10),
        min=low,
        max=high,
        pattern=_read_input_pattern(section, page),
        check=cast(Literal["", "luhn", "mod11"], section.choice("check", ("luhn", "mod11"), "")),
        terminator=_read_terminator(section),
        first_digit_timeout_s=section.number("first_digit_timeout_s", 5.0, 0.5, 120),
        inter_digit_timeout_s=section.number("inter_digit_timeout_s", 3.0, 0.5, 120),
        retry_prompt=read_prompts(section, "retry_prompt", page),
        final_prompt=read_prompts(section, "final_prompt", page),
        on_failure=_read_on_failure(section, page),
        sensitive=section.flag("sensitive", False),
        accept_early=section.flag("accept_early", False),
        languages=read_input_languages(section, page.notes),
    )
    section.close("'input'")
    page.inputs[name] = found.sensitive
    return found


def _read_lengths(section: Section) -> tuple[int, int]:
    digits = section.section("digits")
    if digits is None:
        return Input().min, Input().max
    low = digits.whole("min", Input().min, 1, 64)
    high = digits.whole("max", max(low, Input().max), 1, 64)
    if low > high:
        digits.note("min", f"'min' ({low}) is above 'max' ({high})", "swap them")
    digits.close("'digits'")
    return low, high


def _read_input_pattern(section: Section, page: RouteContext) -> Pattern | None:
    refuse_empty(section, "pattern", "check", "digits")
    node = section.take("pattern")
    return None if node is None else read_pattern(node, page.notes, "'pattern'")


def _read_terminator(section: Section) -> str:
    terminator = section.text("terminator", "#")
    if terminator and terminator not in KEYS:
        section.note("terminator", f"'terminator' cannot be '{terminator[:80]}'", "write one key: '#', '*' or a digit")
    return terminator


def _read_on_failure(section: Section, page: RouteContext) -> Action | None:
    refuse_empty(section, "on_failure")
    node = section.take("on_failure")
    if node is None or scalar(node) == "default":
        return None
    word = scalar(node)
    if word is not None:
        section.note("on_failure", f"'on_failure' cannot be '{word[:80]}'", "write default or {play, to}")
        return None
    return read_action(node, page, "'on_failure'", has_record=False)
