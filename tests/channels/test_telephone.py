"""The telephone of `routing-engine call`: what a person hears, types and is told."""

from __future__ import annotations

import pytest

from routing_engine.channels.softphone import Softphone, SoftphoneCaller
from routing_engine.core.asks import Collect, Play, Typed
from routing_engine.core.model import Caller, Filler, Input, Operand, Spoken
from routing_engine.core.ports import Channel

from .contract import Seen, Talk
from .serving import holding, port, serving

pytestmark = pytest.mark.io

ANNA = SoftphoneCaller("+43664", "", "217", "de")


async def called(
    talk: Talk, *tries: str, states: dict[str, str] | None = None, caller: SoftphoneCaller = ANNA
) -> tuple[Seen, list[str]]:
    """Hold a talk with somebody at the telephone; give what came of it, and what was heard."""
    seen, heard, typed = Seen(), [], iter(tries)

    async def keys() -> str | None:
        return next(typed, "")

    telephone = Softphone(heard.append, keys, known=states or {})
    async with serving(holding(talk, seen)) as server:
        await telephone.call("127.0.0.1", port(server), "support", caller)
        await seen.over.wait()
    return seen, heard


async def test_values_are_shown_as_they_would_be_said() -> None:
    said = (
        "your-order",
        Spoken("digits", "12*"),
        Spoken("number", "-21"),
        Spoken("letters", "AB"),
        Spoken("date", "2027-01-03"),
        Spoken("time", "2027-01-03T16:35:00+01:00"),
    )
    seen, heard = await called(lambda channel: channel.play(Play(said)))
    assert heard == [
        "your-order",
        "[says digits 1 2 *]",
        "[says number -21]",
        "[says letters A B]",
        "[says date 2027-01-03]",
        "[says time 16:35]",
    ]
    assert seen.gave == Typed("")


async def test_another_language_is_told() -> None:
    _, heard = await called(lambda channel: channel.switch("fr"))
    assert heard == ["[language fr]"]


async def test_digits_are_typed_try_by_try() -> None:
    async def talk(channel: Channel) -> object:
        return [await channel.collect(Collect(Input(min=2, max=4), ("enter",))) for _ in range(3)]

    seen, heard = await called(talk, "12#", "1234")
    assert (seen.gave, heard) == ([Typed("12"), Typed("1234"), Typed("")], ["enter"] * 3)


async def test_states_are_those_that_were_given_and_nothing_else() -> None:
    lefts = (
        Operand("device", "201"),
        Operand("device", "202"),
        Operand("queue", "vip.members"),
        Operand("call", "attestation"),
    )
    states = {"DEVICE_STATE(PJSIP/201)": "INUSE", "QUEUE_EXISTS(vip)": "1", "QUEUE_MEMBER(vip,logged)": "2"}
    seen, _ = await called(lambda channel: channel.observe(lefts), states=states)
    assert seen.gave == {lefts[0]: "inuse", lefts[2]: 2}


async def test_what_was_set_can_be_read_and_a_filler_ends() -> None:
    async def talk(channel: Channel) -> object:
        await channel.answer("before_prompts")
        await channel.fill(Filler(0, "sound", "wait"))
        await channel.fill(None)
        return (await channel.begin(60, "fr", ("CHANNEL(language)", "NONE"))).variables

    seen, heard = await called(talk)
    assert (seen.gave, heard) == ({"CHANNEL(language)": "fr", "NONE": ""}, ["wait", "[language fr]"])


@pytest.mark.parametrize("terminator", ["#", "*", ""])
@pytest.mark.parametrize("prompt", [("enter",), ()])
async def test_what_is_typed_at_one_try_stays_in_that_try(terminator: str, prompt: tuple[str, ...]) -> None:
    one = Input(min=2, max=3, terminator=terminator)

    async def talk(channel: Channel) -> object:
        return [(await channel.collect(Collect(one, prompt))).digits for _ in range(4)]

    seen, _ = await called(talk, "1", "234", "5678", "")
    assert seen.gave == ["1", "234", "567", ""]


async def test_a_try_that_is_full_ends_before_one_that_nobody_asks_for() -> None:
    one = Input(max=1)

    async def talk(channel: Channel) -> object:
        return [(await channel.collect(Collect(one, ()))).digits for _ in range(3)]

    seen, _ = await called(talk, "1", "2", "3")
    assert seen.gave == ["1", "2", "3"]


async def test_only_keys_are_pressed() -> None:
    seen, _ = await called(lambda channel: channel.collect(Collect(Input(min=6, max=9), ("enter",))), "664 123-abc4#")
    assert seen.gave == Typed("6641234")


@pytest.mark.parametrize(
    ("caller", "arrives"),
    [
        (SoftphoneCaller(), (None, "", "", "en", True)),
        (SoftphoneCaller("Anonymous", "Anna", "217", "de"), (None, "", "217", "de", True)),
        (SoftphoneCaller("+43664", "Anna", " 2 17", "de"), ("+43664", "Anna", "2 17", "de", False)),
        (SoftphoneCaller("abc", "Anna\nagi_dnid: 1"), (None, "Anna agi_dnid: 1", "", "en", False)),
    ],
)
async def test_a_call_arrives_as_it_is_described(caller: SoftphoneCaller, arrives: tuple[object, ...]) -> None:
    seen, _ = await called(lambda channel: channel.begin(60, "", ()), caller=caller)
    found = seen.gave
    assert isinstance(found, Caller)
    number = found.number.digits if found.number is not None else None
    assert (number, found.name, found.called, found.language, found.hidden) == arrives
