"""Prompts with values in them: what Asterisk says of a record, in the caller's language, and how a key ends it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from rig.asterisk import Asterisk
from rig.ear import save_wav, tone
from rig.sip import Call, Phone

from .middleware import Middleware
from .scenery import DIALPLAN, save_sounds
from .stage import House, Stage, typed_as

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

RECORD = "{integration: crm, search: {field: phone, by: caller}, rules: [{RULE}]}"
OFFICE = "to: {dialplan: 'office,x,1'}"
SAYS = (
    "play: [prompt, {digits: '{id}'}, {number: '{note}'}, {letters: '{name}'}, {date: '{company}'}, {time: '{tier}'}]"
)
SETTINGS = "timezone: Europe/Vienna\nfallback_language: fr\n"


def saying(rule: str, more: str = "") -> str:
    """A route that finds the caller's record and does this."""
    source = RECORD.replace("RULE", f"{rule}, {OFFICE}")
    return f"{more}sources: [{source}]\ndefault: {{to: {{ivr: main}}}}\n"


TYPED = "default: {to: {dialplan: 'office,x{input},1'}}\n"
INPUT = "input: {digits: {min: 2, max: 2}, attempts: 1, first_digit_timeout_s: 8"
ROUTES = {
    "says": saying(SAYS),
    "says_german": saying(SAYS, "language: de\n"),
    "says_italian": saying(SAYS, "language: it\n"),
    "names": saying("play: ['{name}', prompt]"),
    "by_record": saying("set: {language: '{tier}'}, play: [gold, prompt]"),
    "by_called": f"language: {{by: call.called, by_called: de, else: fr}}\ndefault: {{play: prompt, {OFFICE}}}\n",
    "by_key": f"input: {{prompt: prompt, digits: {{min: 1, max: 1}}, language: {{'1': de, '2': fr}}}}\n"
    f"default: {{play: prompt, {OFFICE}}}\n",
    "asks": f"{INPUT}, prompt: [prompt, {{digits: '123456'}}]}}\n{TYPED}",
    "asks_early": f"{INPUT}, prompt: [{{number: '123456'}}, prompt]}}\n{TYPED}",
    "instructs": f"instruction: [{{letters: abcdefgh}}, prompt]\n{INPUT}, prompt: prompt}}\n{TYPED}",
    "french": f"language: de\ndefault: {{play: [only-french, nowhere], {OFFICE}}}\n",
    "french_prompt": f"{INPUT}, prompt: only-french}}\nlanguage: de\n{TYPED}",
}
#: What German and English numbers are made of; each lasts so short here that nobody waits for a test.
GERMAN = "1N 1-and 7-and 5-and 1 2 4 20 30 16 thousand oclock day-0 h-3 mon-0"
ENGLISH = "0 1 2 4 5 7 20 30 minus thousand day-0 mon-0 h-3 h-4 a-m p-m"
ORDER = {"id": "1042", "note": -21, "name": "A7", "company": "2027-01-03", "tier": "2027-01-03T16:35:00+01:00"}
DATE = ["digits/day-0", "digits/mon-0", "digits/h-3", "digits/2", "digits/thousand", "digits/20", "digits/7"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house of its own: German digits, a French sound, and Asterisk's English ones."""
    sounds: Path = tmp_path_factory.mktemp("spoken")
    save_sounds(sounds)
    for folder, names in {"de/digits": GERMAN, "de/letters": "a", "en/digits": ENGLISH, "fr": ""}.items():
        (sounds / folder).mkdir(parents=True)
        for name in names.split():
            save_wav(sounds / folder / f"{name}.wav", tone(440, 0.06))
    save_wav(sounds / "fr" / "only-french.wav", tone(820, 0.3))
    async with Asterisk(DIALPLAN, sounds=sounds) as asterisk, Phone.open() as phone, Middleware.serving() as middleware:
        yield House(asterisk, phone, middleware)


async def played(stage: Stage, call: Call) -> list[str]:
    """The sounds that Asterisk has played to a call, as `name` or, in another language than English, `de:name`."""
    channel = re.escape(await stage.channel(call))
    lines = re.findall(rf"<{channel}> Playing '([^']+)\.\w+'(.*) \(language '(\w+)'\)", stage.asterisk.log_text())
    # Far behind its end a sound is looked for, or measured, and not heard.
    heard = [(name, language) for name, how, language in lines if not re.search(r"sample_offset 1?9{9}\)", how)]
    return [name if language == "en" else f"{language}:{name}" for name, language in heard]


async def said(stage: Stage, route: str, **record: object) -> list[str]:
    """What a caller hears on a route whose source finds this record."""
    call = await stage.dial(route)
    stage.middleware.knows("crm", call.caller, **{**ORDER, **record})
    await stage.asterisk.landed(call, "office")
    return await played(stage, call)


async def test_a_record_is_said_in_english(stage: Stage) -> None:
    assert await said(stage, "says") == [
        *("prompt", "digits/1", "digits/0", "digits/4", "digits/2"),
        *("digits/minus", "digits/20", "digits/1"),
        *("letters/a", "digits/7", *DATE),
        *("digits/4", "digits/30", "digits/5", "digits/p-m"),
    ]


async def test_a_record_is_said_in_german_grammar(stage: Stage) -> None:
    heard = await said(stage, "says_german", note=21, id="2")
    german = ["prompt", "digits/2", "digits/1-and", "digits/20", "letters/a", "digits/7"]
    german += ["digits/day-0", "digits/h-3", "digits/mon-0", "digits/2", "digits/thousand", "digits/7-and", "digits/20"]
    german += ["digits/16", "digits/oclock", "digits/5-and", "digits/30"]
    assert heard == [f"de:{name}" for name in german]


async def test_where_a_language_has_no_digits_the_number_is_right_in_english(stage: Stage) -> None:
    heard = await said(stage, "says_italian", note=21, id="2")
    assert heard[:4] == ["it:prompt", "digits/2", "digits/20", "digits/1"]
    assert heard[-4:] == ["digits/4", "digits/30", "digits/5", "digits/p-m"]


async def test_a_moment_is_said_as_the_sites_clock_shows_it(stage: Stage) -> None:
    heard = await said(stage, "says", tier="2027-01-03T23:35:00-05:00", company="2027-01-03T23:35:00-05:00")
    assert heard[-4:] == ["digits/5", "digits/30", "digits/5", "digits/a-m"]
    assert "digits/mon-0" in heard
    assert "digits/h-4" in heard


async def test_the_name_of_a_sound_may_come_from_the_record(stage: Stage) -> None:
    assert await said(stage, "names", name="gold") == ["gold", "prompt"]


@pytest.mark.parametrize("name", ["../etc/passwd", "a&b", "no-such-sound", "", "x" * 500])
async def test_a_sound_that_is_none_costs_nobody_the_call(stage: Stage, name: str) -> None:
    assert await said(stage, "names", name=name) == ["prompt"]


async def test_values_that_cannot_be_said_are_left_out(stage: Stage) -> None:
    heard = await said(stage, "says", id='12,3" "', note="many", name="$", company="soon", tier="")
    assert heard == ["prompt"]


async def test_a_rule_sets_the_language_of_what_it_plays(stage: Stage) -> None:
    assert await said(stage, "by_record", tier="de") == ["de:gold", "de:prompt"]


async def test_the_language_by_the_number_that_was_dialled(stage: Stage) -> None:
    call = await stage.call("by_called")
    await stage.asterisk.landed(call, "office")
    assert await played(stage, call) == ["de:prompt"]
    assert await stage.asterisk.variable("CHANNEL(language)", await stage.channel(call)) == "de"


@pytest.mark.parametrize(("key", "language"), [("1", "de"), ("2", "fr")])
async def test_the_caller_chooses_the_language_by_a_key(stage: Stage, key: str, language: str) -> None:
    call = await stage.typed("by_key", key)
    await stage.asterisk.landed(call, "office")
    assert await played(stage, call) == ["prompt", f"{language}:prompt"]


async def test_the_sound_of_the_fallback_language_is_heard(stage: Stage) -> None:
    call = await stage.call("french")
    await stage.asterisk.landed(call, "office")
    assert await played(stage, call) == ["de:fr/only-french"]
    assert "File fr/nowhere does not exist" in stage.asterisk.log_text()


async def test_a_prompt_of_the_fallback_language_takes_keys(stage: Stage) -> None:
    call = await stage.call("french_prompt")
    await call.hears(lambda heard: heard.sound and abs(heard.hz - 820) < 20)
    await call.press("12")
    assert (await stage.asterisk.landed(call, "office")).exten == "x12"


async def test_a_key_ends_what_is_said_and_no_digit_is_lost(stage: Stage) -> None:
    async def types(route: str, wait_s: float) -> str:
        call = await stage.call(route)
        await asyncio.sleep(wait_s)  # not to synchronise: the place in what is said at which the caller types
        await call.press("42", 60, 40)
        return (await stage.asterisk.landed(call, "office")).exten

    tries = [(route, wait / 10) for route in ("asks", "asks_early", "instructs") for wait in range(2, 14)]
    arrived = await asyncio.gather(*(typed_as("x42", partial(types, *one)) for one in tries))
    assert {one: digits for one, digits in zip(tries, arrived, strict=True) if digits != "x42"} == {}
