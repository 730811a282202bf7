"""What every channel must do, however a call reaches it: the port `core.ports.Channel`.

A subclass gives `carried`, which plays one call of a `Scenario` and holds a talk on its channel. `LiveChannelContract`
is for channels with a caller at the other end, who may press keys at any moment and hang up.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from routing_engine.core.asks import Collect, Play, Typed
from routing_engine.core.model import Filler, Input, Operand, Spoken, Value
from routing_engine.core.ports import Channel
from routing_engine.errors import CallerHungUp, ChannelError

Talk = Callable[[Channel], Awaitable[object]]

SIX = Input(prompt=("enter",), min=4, max=6)
EARLY = Input(min=2, max=6, pattern=re.compile("7[0-9]{3}|8[0-9]"), accept_early=True)
DEVICE, FREE, AGENT = Operand("device", "201"), Operand("queue", "sales.free"), Operand("last_agent", "")
STATES: Mapping[Operand, Value] = {
    DEVICE: "not_inuse",
    Operand("device", "202"): "inuse",
    FREE: 3,
    Operand("queue", "sales.members"): 5,
    Operand("queue", "sales.waiting"): 0,
    Operand("call", "attestation"): "A",
    AGENT: ("201", "2026-11-01T10:00:00+01:00"),
}


@dataclass(frozen=True)
class Scenario:
    """The other end: a key pressed during what is played first, what is typed per try, and when the caller hangs up.

    `states` are live states; what is not among them cannot be told.
    """

    key: str = ""
    typed: Sequence[str] = ()
    missing: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[Operand, Value] = field(default_factory=dict)
    hangs_up: bool = False


@dataclass
class Seen:
    """What came of it: what the talk gave or raised, what the dialplan has now, and how far the talk has come."""

    gave: object = None
    raised: BaseException | None = None
    lost: ChannelError | None = None
    variables: list[tuple[str, str]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


SPOKEN = [
    Spoken("digits", "12*#"),
    Spoken("number", "-21"),
    Spoken("letters", "AB 12"),
    Spoken("date", "2027-01-03T00:00:00+01:00"),
    Spoken("time", "2027-01-03T16:35:00+01:00"),
]


class ChannelContract:
    """What holds for every channel, a dry run included."""

    async def carried(self, scenario: Scenario, talk: Talk) -> Seen:
        raise NotImplementedError

    async def test_begin_gives_the_caller_with_the_variables_asked_for(self) -> None:
        async def talk(channel: Channel) -> object:
            return (await channel.begin(60, "de", ("TRUNK", "NONE"))).variables

        seen = await self.carried(Scenario(variables={"TRUNK": "a b", "OTHER": "x"}), talk)
        assert seen.gave == {"TRUNK": "a b", "NONE": ""}

    async def test_what_begin_gives_is_the_caller_from_then_on(self) -> None:
        async def talk(channel: Channel) -> object:
            return await channel.begin(60, "", ("TRUNK",)) == channel.caller

        assert (await self.carried(Scenario(), talk)).gave is True

    async def test_a_sound_that_nobody_interrupts_gives_no_digits(self) -> None:
        seen = await self.carried(Scenario(), lambda channel: channel.play(Play(("welcome",))))
        assert seen.gave == Typed("")

    @pytest.mark.parametrize("typed", ["123456", "1234", ""])
    async def test_digits_are_collected(self, typed: str) -> None:
        seen = await self.carried(Scenario(typed=[typed]), lambda channel: channel.collect(Collect(SIX, ("enter",))))
        assert seen.gave == Typed(typed)

    async def test_the_terminator_is_no_digit(self) -> None:
        seen = await self.carried(Scenario(typed=["1234#"]), lambda channel: channel.collect(Collect(SIX, ("enter",))))
        assert seen.gave == Typed("1234")

    async def test_every_try_reads_anew(self) -> None:
        async def talk(channel: Channel) -> object:
            return [(await channel.collect(Collect(SIX, ("enter",)))).digits for _ in range(3)]

        assert (await self.carried(Scenario(typed=["1", "123456"]), talk)).gave == ["1", "123456", ""]

    @pytest.mark.parametrize(("typed", "given"), [("7123456", "7123"), ("81", "81"), ("811", "81"), ("912", "912")])
    async def test_what_is_valid_may_be_taken_at_once(self, typed: str, given: str) -> None:
        seen = await self.carried(Scenario(typed=[typed]), lambda channel: channel.collect(Collect(EARLY, ("enter",))))
        assert seen.gave == Typed(given)

    @pytest.mark.parametrize("spoken", SPOKEN, ids=str)
    async def test_values_are_said(self, spoken: Spoken) -> None:
        seen = await self.carried(Scenario(), lambda channel: channel.play(Play(("your-order", spoken))))
        assert seen.gave == Typed("")

    async def test_a_prompt_may_end_in_a_value(self) -> None:
        ask = Collect(SIX, ("enter", Spoken("digits", "4")))
        seen = await self.carried(Scenario(typed=["1234"]), lambda channel: channel.collect(ask))
        assert seen.gave == Typed("1234")

    async def test_the_caller_has_the_language_that_was_switched_to(self) -> None:
        async def talk(channel: Channel) -> object:
            await channel.switch("de")
            return channel.caller.language

        assert (await self.carried(Scenario(), talk)).gave == "de"

    async def test_live_state_is_told(self) -> None:
        seen = await self.carried(Scenario(states=STATES), lambda channel: channel.observe(tuple(STATES)))
        assert seen.gave == STATES

    async def test_state_that_cannot_be_told_is_left_out(self) -> None:
        scenario = Scenario(states={DEVICE: "busy"})
        seen = await self.carried(scenario, lambda channel: channel.observe((FREE, AGENT, DEVICE)))
        assert seen.gave == {DEVICE: "busy"}

    @pytest.mark.parametrize("kind", ["music", "ringing", "sound", "none"])
    async def test_a_filler_begins_and_ends(self, kind: str) -> None:
        async def talk(channel: Channel) -> object:
            await channel.fill(Filler(0, kind, "default"))  # type: ignore[arg-type]
            await channel.fill(None)
            return await channel.play(Play(("welcome",)))

        assert (await self.carried(Scenario(), talk)).gave == Typed("")

    async def test_a_filler_that_never_began_may_be_ended(self) -> None:
        assert (await self.carried(Scenario(), lambda channel: channel.fill(None))).raised is None

    @pytest.mark.parametrize("how", ["before_prompts", "early_media", "never"])
    async def test_a_call_is_answered_as_the_route_says(self, how: str) -> None:
        seen = await self.carried(Scenario(), lambda channel: channel.answer(how))  # type: ignore[arg-type]
        assert seen.raised is None

    async def test_variables_are_handed_back_in_their_order(self) -> None:
        wanted = [("CALLERID(name)", 'Zoë "Q" 😀'), ("CRM_ID", ""), ("ROUTE_STATUS", "OK")]
        seen = await self.carried(Scenario(), lambda channel: channel.hand_back(wanted))
        assert [pair for pair in seen.variables if pair in wanted] == wanted


class LiveChannelContract(ChannelContract):
    """What holds for channels with a caller at the other end."""

    @pytest.mark.parametrize("key", ["5", "0", "*"])
    async def test_a_key_ends_a_sound_and_is_given(self, key: str) -> None:
        seen = await self.carried(Scenario(key=key), lambda channel: channel.play(Play(("a", "b"))))
        assert seen.gave == Typed(key)

    async def test_a_hash_that_ends_a_sound_is_no_digit(self) -> None:
        seen = await self.carried(Scenario(key="#"), lambda channel: channel.play(Play(("a",))))
        assert seen.gave == Typed("")

    async def test_digits_typed_ahead_are_not_asked_for_again(self) -> None:
        ask = Collect(SIX, ("enter",), "12")
        seen = await self.carried(Scenario(typed=["3456"]), lambda channel: channel.collect(ask))
        assert seen.gave == Typed("123456")

    async def test_a_missing_sound_is_skipped_and_named(self) -> None:
        seen = await self.carried(Scenario(missing=["a"]), lambda channel: channel.play(Play(("a", "b"))))
        assert seen.gave == Typed("", ("a",))

    @pytest.mark.parametrize("spoken", SPOKEN, ids=str)
    async def test_a_key_ends_what_is_said_and_is_given(self, spoken: Spoken) -> None:
        seen = await self.carried(Scenario(key="5"), lambda channel: channel.play(Play((spoken, "a"))))
        assert seen.gave == Typed("5")

    async def test_text_that_no_synthesiser_turned_into_a_sound_is_named(self) -> None:
        ask = Play((Spoken("speech", "Good morning"), "a"))
        assert (await self.carried(Scenario(), lambda channel: channel.play(ask))).gave == Typed(
            "", ("speech Good morning",)
        )

    async def test_what_cannot_be_said_for_want_of_sounds_is_named(self) -> None:
        scenario = Scenario(missing=["en/digits/1", "digits/1"])
        seen = await self.carried(scenario, lambda channel: channel.play(Play((Spoken("digits", "12"), "a"))))
        assert seen.gave == Typed("", ("digits 12",))

    async def test_a_missing_prompt_does_not_lose_the_digits(self) -> None:
        scenario = Scenario(typed=["1234"], missing=["enter"])
        seen = await self.carried(scenario, lambda channel: channel.collect(Collect(SIX, ("enter",))))
        assert seen.gave == Typed("1234", ("enter",))

    async def test_a_hang_up_cancels_what_the_call_waits_for(self) -> None:
        seen = await self.carried(Scenario(hangs_up=True), lambda channel: asyncio.Event().wait())
        assert isinstance(seen.raised, asyncio.CancelledError)
        assert isinstance(seen.lost, CallerHungUp)

    async def test_nothing_can_be_said_after_a_hang_up(self) -> None:
        async def talk(channel: Channel) -> object:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return await channel.play(Play(("a",)))
            return None

        assert isinstance((await self.carried(Scenario(hangs_up=True), talk)).raised, CallerHungUp)
