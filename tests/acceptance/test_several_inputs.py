"""Several inputs in a row and inputs that end by themselves: whatever is typed, and however fast, no key is lost."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from rig.sip import Call

from .stage import Stage, hears, told, typed_as

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

#: Longer than a busy machine is late with a key.
WAITS = "first_digit_timeout_s: 8, inter_digit_timeout_s: 5"
NUMBER = f"{{name: number, prompt: prompt, digits: {{min: 4, max: 8}}, {WAITS}}}"
PIN = f"{{name: pin, prompt: menu, retry_prompt: retry, digits: {{min: 7, max: 7}}, sensitive: true, {WAITS}}}"
CODE = f"{{name: code, prompt: menu, digits: {{min: 3, max: 3}}, {WAITS}}}"
CODE_ONCE = CODE.replace("name", "attempts: 1, on_failure: {to: {queue: sales}}, name")
#: Goes on at the sixth digit of a number that begins with 7, at once; others have eight.
EARLY = (
    f"{{name: number, prompt: prompt, digits: {{min: 4, max: 8}}, pattern: '7[0-9]{{5}}|[0-689][0-9]{{7}}', "
    f"accept_early: true, {WAITS.replace('inter_digit_timeout_s: 5', 'inter_digit_timeout_s: 100')}}}"
)
BOTH = "default: {to: {dialplan: 'office,x{input.number}-{input.code},1'}}\n"
ROUTES = {
    "identify": f"inputs: [{NUMBER}, {PIN}]\n"
    "sources:\n"
    "  - {integration: crm, search: {field: pin, by: input.pin}, rules: [{when: {id: '4711'}, to: {queue: vip}}]}\n"
    "default: {to: {dialplan: 'office,x{input.number},1'}}\n",
    "two": f"instruction: welcome\ninputs: [{NUMBER}, {CODE}]\n{BOTH}",
    "early": f"inputs: [{EARLY}, {CODE}]\n{BOTH}",
    "early_star": f"inputs: [{EARLY.replace('accept_early', 'terminator: *, accept_early')}, {CODE}]\n{BOTH}".replace(
        "terminator: *", "terminator: '*'"
    ),
    "no_second": f"inputs: [{NUMBER}, {CODE_ONCE}]\n{BOTH}",
    "early_once": f"inputs: [{EARLY}, {CODE_ONCE}]\n{BOTH}",
}


async def arrives(stage: Stage, call: Call) -> str:
    """What was typed, as it got to the office."""
    return (await stage.asterisk.landed(call, "office")).exten.removeprefix("x")


async def test_a_customer_number_and_then_a_pin_find_the_record(stage: Stage) -> None:
    stage.middleware.knows("crm", "8642973", id="4711")
    call = await stage.typed("identify", "123456#")
    await hears(call, "menu")
    await call.press("8642973")
    landing = await stage.lands(call, "queue")
    assert (landing.exten, *told(landing, "REASON")) == ("vip", "matched")
    [request] = stage.middleware.requests
    assert request.digits == "8642973"
    assert "8642973" not in str(landing) + str(stage.engine.log) + stage.asterisk.log_text()


async def test_a_pin_that_is_too_short_is_asked_for_again_without_the_number(stage: Stage) -> None:
    stage.middleware.knows("crm", "8642973", id="4711")
    call = await stage.typed("identify", "123456#")
    await hears(call, "menu")
    await call.press("86#", 60, 40)
    await hears(call, "retry")
    await hears(call, "menu", times=2)
    await call.press("8642973", 60, 40)
    assert (await stage.lands(call, "queue")).exten == "vip"


#: Route, what is typed without a pause once the first prompt is heard, and what must arrive.
AT_ONCE = [
    ("two", "123456#789", "123456-789"),
    ("two", "12345678789", "12345678-789"),
    ("two", "1234#789#", "1234-789"),
    ("early", "712345789", "712345-789"),
    ("early", "12345678789", "12345678-789"),
    ("early", "712345#789", "712345-789"),
    ("early_star", "712345789", "712345-789"),
    ("early_star", "712345*789", "712345-789"),
    ("early_once", "712345#789", "712345-789"),
    ("early_once", "12345678#789", "12345678-789"),
]


@pytest.mark.parametrize(("tone_ms", "gap_ms"), [(100, 80), (40, 40)], ids=["usual", "fast"])
async def test_what_is_typed_too_quickly_is_the_second_input(stage: Stage, tone_ms: int, gap_ms: int) -> None:
    async def types(route: str, keys: str) -> str:
        call = await stage.call(route)
        await hears(call, "prompt")
        await call.press(keys, tone_ms, gap_ms)
        return await arrives(stage, call)

    arrived = await asyncio.gather(*(typed_as(wanted, partial(types, *how)) for *how, wanted in AT_ONCE))
    assert {one: digits for one, digits in zip(AT_ONCE, arrived, strict=True) if digits != one[2]} == {}


async def test_what_is_typed_as_soon_as_the_line_is_up_is_all_there(stage: Stage) -> None:
    async def types(wait_s: float) -> str:
        call = await stage.call("two")
        await asyncio.sleep(wait_s)  # not to synchronise: the place in the call at which the caller types
        await call.press("123456#789", 50, 40)
        return await arrives(stage, call)

    waits = [n * 0.05 for n in range(20)]
    arrived = await asyncio.gather(*(typed_as("123456-789", partial(types, wait)) for wait in waits))
    assert {wait: digits for wait, digits in zip(waits, arrived, strict=True) if digits != "123456-789"} == {}


async def test_what_is_valid_goes_on_without_another_key(stage: Stage) -> None:
    call = await stage.typed("early", "712345")
    await hears(call, "menu")  # waiting for another key would take 100 s
    await call.press("789", 60, 40)
    assert await arrives(stage, call) == "712345-789"


async def test_the_second_input_may_fail_in_its_own_way(stage: Stage) -> None:
    call = await stage.typed("no_second", "123456#")
    landing = await stage.lands(call, "queue")
    assert (landing.exten, *told(landing, "REASON")) == ("sales", "no_input")
