"""The inputs of a route: `input`, or `inputs` with names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from routing_engine.config.route.actions import ACTION, read_action
from routing_engine.config.route.context import PATTERN, RouteContext, UniqueNames
from routing_engine.config.route.prompts import INPUT_LANGUAGES, PROMPTS, read_prompts
from routing_engine.core.check_digits import KEYS
from routing_engine.core.model import Action, Input, Pattern
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.value_types import choice, flag, matching, number, parsed, raw, whole
from routing_engine.settings.yaml_reader import Section, YamlValue

_INPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]{0,39}\Z", re.ASCII)
_EXAMPLE = "customer_number"


def _terminator(text: str) -> str:
    if text and text not in KEYS:
        raise ValueError(f"'terminator' cannot be '{text[:80]}'")
    return text


@dataclass(frozen=True, slots=True)
class DigitKeys:
    """How many digits an input has; `max` None is at least `min`."""

    min: int = setting(whole(1, 64, "digits"), 1, "fewer are not valid")
    max: int | None = setting(
        whole(1, 64, "digits"), None, "at this many the engine goes on without waiting", usual="20"
    )

    @property
    def most(self) -> int:
        """At most so many digits."""
        # `min: 25` alone must not become impossible by a default that nobody wrote.
        return max(self.min, 20) if self.max is None else self.max

    def check(self, section: Section, what: str) -> None:
        """Note an input that nobody could type."""
        if self.min > self.most:
            section.note("min", f"'min' ({self.min}) is above 'max' ({self.most})", "swap them")


@dataclass(frozen=True, slots=True)
class InputKeys:
    """One input as it is written, without its name."""

    prompt: YamlValue | None = setting(PROMPTS, None, "the question", example="enter-customer-number")
    attempts: int = setting(whole(1, 10), 3, "how often it is asked")
    digits: DigitKeys = setting(
        nested(DigitKeys).called("[mapping](#digits)"),
        DigitKeys(),
        "how many digits",
        usual="1 to 20 digits",
        example="{min: 6, max: 10}",
        filled=True,
    )
    pattern: Pattern | None = setting(PATTERN, None, "the whole input must fit", example="'[1-9][0-9]*'", filled=True)
    check_digit: Literal["", "luhn", "mod11"] = setting(
        choice("luhn", "mod11"),
        "",
        "the last digit is a check digit: Luhn (ISO/IEC 7812-1), or modulo 11 with the weights 2 to 7 from the right",
        name="check",
        filled=True,
    )
    terminator: str = setting(
        parsed(_terminator, "one key: a digit, `#` or `*`", "write one key: '#', '*' or a digit"),
        "#",
        "ends the input. `''` for none",
    )
    first_digit_timeout_s: float = setting(number(0.5, 120, "seconds"), 5.0, "how long nobody types after the prompt")
    inter_digit_timeout_s: float = setting(number(0.5, 120, "seconds"), 3.0, "how long nobody types between digits")
    accept_early: bool = setting(
        flag(), False, "true: go on as soon as what is typed is valid, without waiting for more"
    )
    retry_prompt: YamlValue | None = setting(PROMPTS, None, "before attempts 2, 3, ..., in front of the prompt")
    final_prompt: YamlValue | None = setting(PROMPTS, None, "after the last failed attempt")
    on_failure: YamlValue | None = setting(
        raw(
            "[destination](#a-destination-with-play), or `default`",
            lambda definitions: {"anyOf": [ACTION.schema(definitions), {"const": "default"}]},
        ),
        None,
        "where callers go without a valid input. No source is asked then",
        usual="`default`",
        example="{to: {queue: reception}}",
        filled=True,
    )
    language: Mapping[str, str] = setting(
        INPUT_LANGUAGES, {}, "the language from here on", example="{'1': en, '2': de}"
    )
    sensitive: bool = setting(
        flag(),
        False,
        "true: the digits are `***` in the log, the trail and the output of tests. They may be searched by and "
        "compared; a prompt, a target or `set` with them is a problem",
    )


@dataclass(frozen=True, slots=True)
class NamedInputKeys(InputKeys):
    """One of several inputs."""

    name: str = required(
        matching(_INPUT_NAME, "an input cannot be called '{}'", f"write letters, digits and _: name: {_EXAMPLE}"),
        "",
        "what it is called in `input.NAME`: letters, digits, `_` and `-`",
        example=_EXAMPLE,
    )


def read_inputs(
    route: Section, one: Section | None, several: tuple[Section, ...], context: RouteContext
) -> tuple[Input, ...]:
    """Read `input` or `inputs`. Each is known to the context once it is read: what follows may use it."""
    if one is not None and route.has("inputs"):
        route.note("input", "'input' and 'inputs' stand side by side", "put it into the list of 'inputs', with a name")
    if one is not None:
        return (_input(read(one, InputKeys, "'input'"), "input", context),)
    # Conditions and searches name inputs; two of one name could not be told apart.
    names, found = UniqueNames("the input"), []
    for section in several:
        keys = read(section, NamedInputKeys, "'input'")
        names.enter(section, keys.name)
        found.append(_input(keys, keys.name, context))
    return tuple(found)


def _input(keys: InputKeys, name: str, context: RouteContext) -> Input:
    found = Input(
        name=name,
        prompt=read_prompts(keys.prompt, context),
        attempts=keys.attempts,
        min=keys.digits.min,
        max=keys.digits.most,
        pattern=keys.pattern,
        check=keys.check_digit,
        terminator=keys.terminator,
        first_digit_timeout_s=keys.first_digit_timeout_s,
        inter_digit_timeout_s=keys.inter_digit_timeout_s,
        retry_prompt=read_prompts(keys.retry_prompt, context),
        final_prompt=read_prompts(keys.final_prompt, context),
        on_failure=_read_on_failure(keys.on_failure, context),
        sensitive=keys.sensitive,
        accept_early=keys.accept_early,
        languages=keys.language,
    )
    # After its own prompts: they cannot say what has not been typed yet.
    context.inputs[name] = found.sensitive
    return found


def _read_on_failure(value: YamlValue | None, context: RouteContext) -> Action | None:
    word = None if value is None else value.word()
    # The word says what holds anyway; people write it to be read.
    if value is None or word == "default":
        return None
    if word is not None:
        value.note(f"'on_failure' cannot be '{word[:80]}'", "write default or {play, to}")
        return None
    return read_action(value, context, has_record=False)
