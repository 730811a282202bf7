"""Sounds, sayings and live state in the commands that Asterisk gets."""

from __future__ import annotations

import asyncio

import pytest
from fakes import Asterisk

from routing_engine.channels.agi.channel import SharedFacts
from routing_engine.channels.agi.server import AgiSettings
from routing_engine.core.asks import Collect, Play, Typed
from routing_engine.core.model import Input, Operand, Spoken
from routing_engine.errors import CallerHungUp

from .contract import Seen
from .serving import NOW, held, holding, port, serving

pytestmark = pytest.mark.io

NUM = Input(min=4, max=6, first_digit_timeout_s=5, inter_digit_timeout_s=2.5)


# Sounds and sayings in the languages there are


FRENCH = SharedFacts(fallback_language="fr")
SAID = "SAY NUMBER 21 0123456789*#"


async def test_a_missing_sound_is_taken_from_the_fallback_language() -> None:
    asterisk = Asterisk(missing=["a", "/abs", "fr/b", "b"])
    seen = await held(lambda channel: channel.play(Play(("a", "/abs", "b"))), asterisk, FRENCH)
    assert seen.gave == Typed("", ("/abs", "b"))
    played = [line.split()[2] for line in asterisk.lines]
    assert played == ["a", "fr/a", "/abs", "b", "fr/b"]


async def test_a_missing_prompt_is_taken_from_the_fallback_language_and_waits_for_keys() -> None:
    asterisk = Asterisk(["-1", "1", "23456"])
    seen = await held(lambda channel: channel.collect(Collect(NUM, ("enter",))), asterisk, FRENCH)
    assert (seen.gave, asterisk.lines[:2]) == (Typed("123456"), ["GET DATA enter 5000 1", "GET DATA fr/enter 5000 1"])


@pytest.mark.parametrize("language", ["fr", "fr_CA"])
async def test_there_is_no_fallback_from_a_language_to_itself(language: str) -> None:
    asterisk = Asterisk(missing=["a"])
    await held(lambda channel: channel.play(Play(("a",))), asterisk, FRENCH, language=language)
    assert len(asterisk.lines) == 1


SAMPLE = "digits/1 0123456789*# 999999999"
#: The call's language, the samples that are missing, and the commands that say 21.
VOICES = [
    ("en", [], [f"STREAM FILE en/{SAMPLE}", SAID]),
    ("de_AT", ["de_AT/digits/1"], [f"STREAM FILE de_AT/{SAMPLE}", f"STREAM FILE de/{SAMPLE}", SAID]),
    ("de", ["de/digits/1"], [f"STREAM FILE de/{SAMPLE}", f"STREAM FILE fr/{SAMPLE}",
        "SET VARIABLE CHANNEL(language) fr", SAID, "SET VARIABLE CHANNEL(language) de"]),
    ("fr", ["fr/digits/1"], [f"STREAM FILE fr/{SAMPLE}", f"STREAM FILE en/{SAMPLE}",
        "SET VARIABLE CHANNEL(language) en", SAID, "SET VARIABLE CHANNEL(language) fr"]),
    ("fr", ["fr/digits/1", "en/digits/1"], [
        f"STREAM FILE fr/{SAMPLE}", f"STREAM FILE en/{SAMPLE}", f"STREAM FILE {SAMPLE}", SAID]),
]  # fmt: skip


@pytest.mark.parametrize(("language", "missing", "commands"), VOICES)
async def test_a_value_is_said_in_a_language_that_has_the_sounds(
    language: str, missing: list[str], commands: list[str]
) -> None:
    asterisk, ask = Asterisk(missing=missing), Play((Spoken("number", "21"),))
    seen = await held(lambda channel: channel.play(ask), asterisk, FRENCH, language=language)
    assert (seen.gave, asterisk.lines) == (Typed(""), commands)


async def test_where_the_sounds_are_is_found_out_once_until_a_reload() -> None:
    ask, calls = Play((Spoken("number", "21"), Spoken("digits", "3"), Spoken("letters", "A"))), []
    async with serving(holding(lambda channel: channel.play(ask), Seen())) as server:
        for reloads in (False, False, True):
            if reloads:
                server.change(AgiSettings("AT", lambda: NOW))
            asterisk = Asterisk()
            await asterisk.call(port(server))
            calls.append(sum(words[0] == "STREAM" for words in asterisk.commands))
    assert calls == [2, 0, 2]


@pytest.mark.parametrize("failed", ["SAY NUMBER", "SAY DATETIME"])
async def test_what_broke_off_while_it_was_said_is_named_and_the_call_goes_on(failed: str) -> None:
    ask = Play((Spoken("number", "21"), Spoken("date", "2027-01-03"), "a"))
    asterisk = Asterisk(on={failed: "200 result=-1"})
    seen = await held(lambda channel: channel.play(ask), asterisk)
    assert isinstance(seen.gave, Typed)
    assert [name.split()[0].upper() for name in seen.gave.missing] == [{"SAY NUMBER": "NUMBER"}.get(failed, "DATE")]
    assert asterisk.commands[-1][2] == "a"


async def test_a_moment_that_is_none_is_left_out() -> None:
    seen = await held(lambda channel: channel.play(Play((Spoken("date", "soon"),))), Asterisk())
    assert seen.gave == Typed("", ("date soon",))


async def test_a_hang_up_while_something_is_said_ends_the_call() -> None:
    asterisk = Asterisk(on={"SAY": "200 result=-1\nHANGUP"})
    seen = await held(lambda channel: channel.play(Play((Spoken("digits", "1"), "a", "b"))), asterisk)
    assert isinstance(seen.raised, CallerHungUp | asyncio.CancelledError)


async def test_a_call_goes_on_in_another_language() -> None:
    asterisk = Asterisk()
    await held(lambda channel: channel.switch("de"), asterisk)
    assert asterisk.lines == ["SET VARIABLE CHANNEL(language) de"]


# Live state


async def test_a_module_that_is_not_loaded_is_asked_for_once() -> None:
    left, asked = Operand("call", "attestation"), []
    async with serving(holding(lambda channel: channel.observe((left,)), seen := Seen())) as server:
        for _ in range(2):
            asterisk = Asterisk()
            await asterisk.call(port(server))
            asked += asterisk.lines
    assert (seen.gave, asked) == ({}, ["GET FULL VARIABLE ${URIENCODE(${STIR_SHAKEN(count)})}"])


async def test_a_call_without_a_signature_has_no_attestation() -> None:
    left = Operand("call", "attestation")
    asterisk = Asterisk(known={"STIR_SHAKEN(count)": "0"})
    assert (await held(lambda channel: channel.observe((left,)), asterisk)).gave == {left: "none"}
    assert len(asterisk.commands) == 1


async def test_extensions_are_looked_at_as_the_site_says() -> None:
    left, site = Operand("device", "201"), SharedFacts(extension_state="EXTENSION_STATE({target}@ext-local)")
    asterisk = Asterisk(known={"EXTENSION_STATE(201@ext-local)": "INUSE"})
    assert (await held(lambda channel: channel.observe((left,)), asterisk, site)).gave == {left: "inuse"}


# A presentation that the dialplan keeps elsewhere (FreePBX)


KEPT = SharedFacts(kept_presentation="CALLINGNUMPRES_SV")


async def begun(value: str, site: SharedFacts, **changed: str) -> tuple[Seen, Asterisk]:
    asterisk = Asterisk(known={"CALLINGNUMPRES_SV": value})
    return await held(lambda channel: channel.begin(10, "", ()), asterisk, site, **changed), asterisk


@pytest.mark.parametrize("value", ["prohib_not_screened", "prohib_passed_screen", "prohib", "unavailable"])
async def test_a_number_that_was_withheld_before_the_dialplan_allowed_it_is_dropped(value: str) -> None:
    seen, _ = await begun(value, KEPT)
    assert (seen.gave.number, seen.gave.name, seen.gave.hidden) == (None, "", True)


@pytest.mark.parametrize("value", ["", "allowed_not_screened", "allowed"])
async def test_a_number_that_may_be_shown_stays(value: str) -> None:
    seen, _ = await begun(value, KEPT)
    assert seen.gave.number is not None


async def test_nothing_is_asked_of_a_dialplan_that_keeps_nothing_or_of_a_hidden_caller() -> None:
    for site, changed in ((SharedFacts(), {}), (KEPT, {"callingpres": "32"})):
        _, asterisk = await begun("prohib", site, **changed)
        assert not [line for line in asterisk.lines if "CALLINGNUMPRES_SV" in line]


async def test_whoever_names_languages_without_end_leaves_no_more_than_two_hundred() -> None:
    ask, known = Play((Spoken("number", "21"),)), []
    async with serving(holding(lambda channel: channel.play(ask), Seen())) as server:
        for number in range(250):
            await Asterisk().call(port(server), language=f"de_{number}")
            known.append(len(server._site.voices))
    assert max(known) == 200
