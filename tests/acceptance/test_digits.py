"""What the caller types, whenever it is typed: no key is lost, none is one too many."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from rig.conf import PATIENCE_S
from rig.sip import Call, sound

from .scenery import HZ
from .stage import Stage, hears, told, typed_as

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

#: Longer than a busy machine is late with a key: what came after its time would be the first key of another try.
WAITS = "first_digit_timeout_s: 8, inter_digit_timeout_s: 5"
INPUT = f"prompt: prompt, retry_prompt: retry, digits: {{min: 4, max: 6}}, {WAITS}"
#: The digits become the extension, behind an x, so that nothing typed is a place too.
DEFAULT = "default: {to: {dialplan: 'office,x{input},1'}}\n"
ROUTES = {
    "plain": f"instruction: welcome\ninput: {{{INPUT}}}\n{DEFAULT}",
    "no_instruction": f"input: {{{INPUT}}}\n{DEFAULT}",
    "long_instruction": f"instruction: [welcome, long]\ninput: {{{INPUT}}}\n{DEFAULT}",
    "long_prompt": f"input: {{{INPUT.replace('prompt: prompt', 'prompt: [prompt, long]')}}}\n{DEFAULT}",
    "once": f"instruction: welcome\ninput: {{{INPUT}, attempts: 1}}\n{DEFAULT}",
    "starry": f"input: {{{INPUT}, pattern: '[0-9*]+'}}\n{DEFAULT}",
    "star_ends": f"input: {{{INPUT}, terminator: '*'}}\n{DEFAULT}",
    "nothing_ends": f"input: {{{INPUT}, terminator: '', attempts: 1}}\n{DEFAULT}",
    "luhn": f"input: {{{INPUT}, check: luhn, attempts: 1}}\n{DEFAULT}",
    "patient": f"input: {{{INPUT.replace('inter_digit_timeout_s: 5', 'inter_digit_timeout_s: 100')}}}\n{DEFAULT}",
    "one_key": f"input: {{{INPUT.replace('{min: 4, max: 6}', '{min: 1, max: 1}')}}}\n{DEFAULT}",
    "no_sounds": f"""
instruction: no-such-instruction
input: {{{INPUT.replace("prompt: prompt, retry_prompt: retry", "prompt: no-such, retry_prompt: [no-such, neither]")}}}
default: {{play: no-such-play, to: {{dialplan: 'office,x{{input}},1'}}}}
""",
}

ROUTES["silent"] = ROUTES["no_sounds"].replace("first_digit_timeout_s: 8", "first_digit_timeout_s: 0.6")

#: Route, the sound during which typing begins, keys, and the digits that must arrive.
TYPED = [
    ("plain", "welcome", "123456", "123456"),
    ("plain", "welcome", "12345#", "12345"),
    ("plain", "welcome", "004200#", "004200"),
    ("plain", "prompt", "12345#", "12345"),
    ("plain", "prompt", "1234", "1234"),
    ("plain", "prompt", "1234#56", "1234"),
    ("plain", "prompt", "1234567890", "123456"),
    ("plain", "prompt", "123#4567#", "4567"),
    ("plain", "prompt", "#4567#", "4567"),
    ("plain", "prompt", "12*4#4567#", "4567"),
    ("plain", "prompt", "*123#4567#", "4567"),
    ("no_instruction", "prompt", "12345#", "12345"),
    ("long_instruction", "welcome", "12345#", "12345"),
    ("long_instruction", "long", "12345#", "12345"),
    ("long_prompt", "prompt", "12345#", "12345"),
    ("long_prompt", "long", "12345#", "12345"),
    ("once", "welcome", "123#", ""),
    ("once", "prompt", "1*34#", ""),
    ("once", "prompt", "#", ""),
    ("starry", "prompt", "12*45#", "12*45"),
    ("starry", "prompt", "*2*45#", "*2*45"),
    ("star_ends", "prompt", "1234*", "1234"),
    ("nothing_ends", "prompt", "1234", "1234"),
    ("nothing_ends", "prompt", "12#4", ""),
    ("luhn", "prompt", "79927#", ""),
    ("luhn", "prompt", "18#", ""),
    ("luhn", "prompt", "59#", ""),
    ("luhn", "prompt", "4242#", "4242"),
    ("one_key", "prompt", "0", "0"),
]


async def arrives(stage: Stage, call: Call, timeout_s: float = PATIENCE_S) -> str:
    """The digits with which the call got to the office."""
    return (await stage.asterisk.landed(call, "office", timeout_s)).exten.removeprefix("x")


@pytest.mark.parametrize(("tone_ms", "gap_ms"), [(100, 80), (40, 40), (60, 350)], ids=["usual", "fast", "slow"])
async def test_every_key_arrives_whenever_it_is_typed(stage: Stage, tone_ms: int, gap_ms: int) -> None:
    async def type_in(route: str, heard: str, keys: str) -> str:
        call = await stage.call(route)
        await hears(call, heard)
        await call.press(keys, tone_ms, gap_ms)
        return await arrives(stage, call)

    arrived = await asyncio.gather(*(typed_as(case[3], partial(type_in, *case[:3])) for case in TYPED))
    assert {case: digits for case, digits in zip(TYPED, arrived, strict=True) if digits != case[3]} == {}


async def test_no_key_falls_between_the_instruction_and_the_prompt(stage: Stage) -> None:
    async def type_after(wait_s: float) -> str:
        call = await stage.call("plain")
        # The instruction and the prompt last 1 s together: this is not for synchronisation, it is what is tried.
        await asyncio.sleep(wait_s)
        await call.press("123456", 60, 40)
        return await arrives(stage, call)

    waits = [n * 0.03 for n in range(36)]
    arrived = await asyncio.gather(*(typed_as("123456", partial(type_after, wait)) for wait in waits))
    assert {wait: digits for wait, digits in zip(waits, arrived, strict=True) if digits != "123456"} == {}


async def test_the_most_digits_there_can_be_go_on_at_once(stage: Stage) -> None:
    call = await stage.typed("patient", "123456")
    assert await arrives(stage, call) == "123456", "waiting for another key would take 100 s"


async def test_enough_digits_go_on_after_the_time_between_two(stage: Stage) -> None:
    call = await stage.typed("plain", "1234")
    loop = asyncio.get_running_loop()
    typed_at = loop.time()
    assert await arrives(stage, call) == "1234"
    assert loop.time() - typed_at > 4


@pytest.mark.parametrize("route", ["long_instruction", "long_prompt"])
async def test_a_key_ends_the_sound_that_is_playing(stage: Stage, route: str) -> None:
    call = await stage.call(route)
    await hears(call, "long")
    await call.press("12345#")
    await arrives(stage, call)
    cut = await call.hears(sound(hz=HZ["long"]))
    assert cut.lasts_s < 2.5, "it lasts 3 s"


async def test_too_few_digits_are_asked_for_again(stage: Stage) -> None:
    call = await stage.typed("plain", "12")
    await hears(call, "retry")
    await hears(call, "prompt", times=2)
    await call.press("4321#", 60, 40)
    assert await arrives(stage, call) == "4321"


async def test_sounds_that_are_missing_lose_neither_call_nor_digits(stage: Stage) -> None:
    async def types() -> str:
        call = await stage.call("no_sounds")
        await call.press("12#4321#", 60, 120)
        landing = await stage.asterisk.landed(call, "office")
        return " ".join((landing.exten, *told(landing, "STATUS", "REASON")))

    wanted = "x4321 OK no_record"
    assert await typed_as(wanted, types) == wanted


async def test_silence_where_all_sounds_are_missing_leads_to_the_default(stage: Stage) -> None:
    landing = await stage.asterisk.landed(await stage.call("silent"), "office")
    assert (landing.exten, *told(landing, "STATUS", "REASON")) == ("x", "OK", "no_input")
