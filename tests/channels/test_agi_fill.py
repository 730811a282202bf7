"""What is heard while a look-up takes its time, and the keys that are pressed meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from fakes import SILENCE, Asterisk

from routing_engine.call import LISTENING
from routing_engine.channels.agi.channel import SharedFacts
from routing_engine.core.asks import Collect, Play, Typed
from routing_engine.core.model import Filler
from routing_engine.core.ports import Channel

from .contract import Seen
from .serving import NUM, held

pytestmark = pytest.mark.io

STATE = "GET FULL VARIABLE ${URIENCODE(${CHANNEL(state)})}"
LISTEN, CUT = "WAIT FOR DIGIT -1", "GET FULL VARIABLE CUT-1"
FILLERS = [
    (Filler(0, "music", "jazz"), ["SET MUSIC ON jazz", LISTEN, CUT, "SET MUSIC OFF"]),
    (Filler(0, "ringing", ""), ["EXEC Playtones ring", LISTEN, CUT, "EXEC StopPlaytones "]),
    (Filler(0, "sound", "wait"), ["STREAM FILE wait 0123456789*#", CUT]),
    (Filler(0, "none", ""), [LISTEN, CUT]),
]
#: What goes on until it is cut, and then answers nothing.
UNTIL_CUT = {"STREAM FILE": SILENCE, "WAIT FOR": SILENCE}


@pytest.mark.parametrize(("filler", "commands"), FILLERS)
async def test_fillers(filler: Filler, commands: list[str]) -> None:
    async def talk(channel: Channel) -> None:
        await channel.answer("before_prompts")
        await channel.fill(filler)
        await channel.fill(None)
        await channel.fill(None)

    asterisk = Asterisk(on=UNTIL_CUT)
    await held(talk, asterisk)
    assert asterisk.lines == ["ANSWER", *commands]


@pytest.mark.parametrize("filler", [*(filler for filler, _ in FILLERS[:3]), LISTENING])
async def test_a_call_that_nobody_answered_rings_instead(filler: Filler) -> None:
    async def talk(channel: Channel) -> object:
        return [await channel.fill(filler), await channel.fill(None), await channel.fill(filler)]

    asterisk = Asterisk()
    seen = await held(talk, asterisk)
    assert asterisk.lines == [STATE, "EXEC Ringing ", "EXEC Ringing "]
    assert seen.gave == [False, False, False]


async def test_without_a_filler_a_call_that_nobody_answered_is_left_alone() -> None:
    asterisk = Asterisk()
    await held(lambda channel: channel.fill(Filler(0, "none", "")), asterisk)
    assert asterisk.lines == [STATE]


@pytest.mark.parametrize(("filler", "commands"), FILLERS)
async def test_a_call_that_the_dialplan_has_answered_hears_the_filler(filler: Filler, commands: list[str]) -> None:
    async def talk(channel: Channel) -> object:
        return [await channel.fill(filler), await channel.fill(None)]

    asterisk = Asterisk(on=UNTIL_CUT, known={"CHANNEL(state)": "Up"})
    seen = await held(talk, asterisk)
    assert (asterisk.lines, seen.gave) == ([STATE, *commands], [True, True])


@pytest.mark.parametrize("answered", [True, False], ids=["it had ended", "it is cut"])
async def test_a_filler_sound_never_shifts_the_replies(answered: bool) -> None:
    async def talk(channel: Channel) -> object:
        await channel.answer("before_prompts")
        await channel.fill(Filler(0, "sound", "wait"))
        await channel.fill(None)
        return (await channel.begin(60, "", ("X",))).variables

    asterisk = Asterisk(known={"X": "1"}, on={} if answered else {"STREAM FILE": SILENCE})
    assert (await held(talk, asterisk)).gave == {"X": "1"}


@dataclass
class Pressing(Asterisk):
    """One whose caller presses these keys, one for each command that listens; then nothing more is answered."""

    presses: str = ""

    def _text(self, words: list[str]) -> str:
        if words[0] not in ("STREAM", "WAIT") or words[3:] == [""] or words[4:]:
            return super()._text(words)
        key, self.presses = self.presses[:1], self.presses[1:]
        return f"200 result={ord(key)} endpos={8000 * len(self.commands)}" if key else SILENCE


async def filled(
    asterisk: Asterisk, kind: str, then: Callable[[Channel], Awaitable[object]], site: SharedFacts | None = None
) -> Seen:
    """Hold a talk that fills a wait until all keys are pressed, then goes on."""

    async def talk(channel: Channel) -> object:
        await channel.answer("before_prompts")
        await channel.fill(Filler(0, kind, "wait"))  # type: ignore[arg-type]
        await asterisk.silent.wait()
        await channel.fill(None)
        return await then(channel)

    return await held(talk, asterisk, site)


@pytest.mark.parametrize("kind", ["music", "ringing", "sound", "none"])
@pytest.mark.parametrize(
    ("pressed", "given"), [("123456", "123456"), ("1234#", "1234"), ("#1234#", "1234"), ("1234567", "123456")]
)
async def test_digits_pressed_during_a_look_up_are_those_of_the_next_input(kind: str, pressed: str, given: str) -> None:
    seen = await filled(Pressing(presses=pressed), kind, lambda channel: channel.collect(Collect(NUM, ("a",))))
    assert seen.gave == Typed(given)


@pytest.mark.parametrize("kind", ["music", "sound"])
async def test_what_is_too_much_belongs_to_the_input_behind(kind: str) -> None:
    async def two(channel: Channel) -> object:
        return [(await channel.collect(Collect(NUM, ("a",)))).digits for _ in range(2)]

    assert (await filled(Pressing(presses="1234#5678#"), kind, two)).gave == ["1234", "5678"]


async def test_digits_pressed_during_a_look_up_skip_the_next_instruction_and_nothing_else() -> None:
    async def both(channel: Channel) -> object:
        announced = await channel.play(Play(("gold",), barge_in=False))
        return announced, await channel.play(Play(("welcome",)))

    asterisk = Pressing(presses="12", on={"STREAM FILE": "200 result=0 endpos=8000"})
    seen = await filled(asterisk, "music", both)
    assert seen.gave == (Typed(""), Typed("12"))


async def test_a_first_digit_of_a_look_up_is_gone_on_from() -> None:
    asterisk = Pressing(typed=["2345 (timeout)"], presses="1")
    seen = await filled(asterisk, "music", lambda channel: channel.collect(Collect(NUM, ("a",))))
    assert (seen.gave, asterisk.lines[-1]) == (Typed("12345"), "GET DATA  2500 5")


async def test_a_sound_goes_on_behind_a_key_and_begins_anew_at_its_end() -> None:
    asterisk = Pressing(presses="1")
    await filled(asterisk, "sound", lambda channel: channel.play(Play(())))
    assert asterisk.lines[1:3] == ["STREAM FILE wait 0123456789*#", "STREAM FILE wait 0123456789*# 16000"]


async def test_a_filler_sound_that_is_missing_is_looked_for_in_the_fallback_language_once() -> None:
    asterisk = Asterisk(missing=["wait", "fr/wait"], on={"WAIT FOR": SILENCE})
    await filled(asterisk, "sound", lambda channel: channel.play(Play(())), SharedFacts("fr"))
    keys = "0123456789*#"
    assert asterisk.lines[1:] == [f"STREAM FILE wait {keys}", f"STREAM FILE fr/wait {keys}", LISTEN, CUT]


async def test_a_cut_that_asterisk_read_with_the_line_before_is_repeated() -> None:
    asterisk = Asterisk(on={**UNTIL_CUT, CUT: SILENCE})
    seen = await filled(asterisk, "sound", lambda channel: channel.switch("de"))
    assert [line for line in asterisk.lines if "CUT" in line] == [CUT, "GET FULL VARIABLE CUT-2"]
    assert seen.raised is None
