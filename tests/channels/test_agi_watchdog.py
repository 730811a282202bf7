"""The watchdog of the dialplan fits each step of a call, and costs a round trip only where it has to be moved."""

from __future__ import annotations

import pytest
from fakes import Asterisk

from routing_engine.channels.agi.watchdog import MEASURE, SoundLengths, Watchdog, longest_saying
from routing_engine.channels.agi.wire import Reply
from routing_engine.core.asks import Collect, Play
from routing_engine.core.model import Spoken
from routing_engine.core.ports import Channel

from .serving import NUM, held

pytestmark = pytest.mark.io


def limits(asterisk: Asterisk) -> list[float]:
    """What the watchdog was moved to."""
    return [float(words[3]) for words in asterisk.commands if "TIMEOUT(absolute)" in words]


def measured(asterisk: Asterisk) -> list[str]:
    """The sounds whose length was asked for."""
    return [words[2] for words in asterisk.commands if MEASURE in words]


@pytest.mark.parametrize(
    ("left_s", "longest_s", "moved"),
    [(13, 3, None), (8, 3, None), (7.9, 3, 13), (13.1, 3, 13), (48, 3, 13), (13, 40, 50), (13, 0, 10)],
)
def test_a_limit_that_fits_the_step_is_left_alone(left_s: float, longest_s: float, moved: float | None) -> None:
    now = [0.0]
    watchdog = Watchdog(lambda: now[0])
    assert watchdog.moved(60) == 70
    now[0] = 70 - left_s
    assert watchdog.moved(longest_s) == moved


async def test_a_call_that_only_looks_something_up_moves_it_once() -> None:
    async def talk(channel: Channel) -> None:
        await channel.begin(3, "", ())
        await channel.expect(3)
        await channel.expect(3)

    asterisk = Asterisk()
    await held(talk, asterisk)
    assert limits(asterisk) == [13]


async def test_a_prompt_is_left_within_its_own_length_and_ten_seconds() -> None:
    async def talk(channel: Channel) -> None:
        await channel.begin(3, "", ())
        await channel.play(Play(("long", "long"), barge_in=False))

    asterisk = Asterisk(samples=8000 * 90)
    await held(talk, asterisk)
    assert (limits(asterisk), measured(asterisk)) == ([190], ["long"])


async def test_an_input_is_left_within_its_prompt_and_its_digits_and_a_look_up_behind_it_in_its_own_time() -> None:
    async def talk(channel: Channel) -> None:
        await channel.begin(3, "", ())
        await channel.collect(Collect(NUM, ("prompt",)))
        await channel.expect(3)

    asterisk = Asterisk(samples=8000 * 4)
    await held(talk, asterisk)
    assert limits(asterisk) == [4 + 5 + 6 * 2.5 + 10, 13]


async def test_a_key_that_is_pressed_while_a_length_is_asked_for_is_not_lost() -> None:
    async def talk(channel: Channel) -> object:
        first = await channel.play(Play(("a", "b")))
        return first, await channel.collect(Collect(NUM, ("prompt",)))

    pressed = {f"STREAM FILE a 0123456789*# {MEASURE}": "200 result=53 endpos=0"}
    pressed[f"STREAM FILE prompt 0123456789*# {MEASURE}"] = "200 result=49 endpos=0"
    seen = await held(talk, Asterisk(typed=["234"], on=pressed))
    first, then = seen.gave  # type: ignore[misc]
    assert (first.digits, then.digits) == ("5", "1234")


async def test_a_missing_sound_needs_no_time_and_a_sound_of_unknown_length_a_minute() -> None:
    async def talk(channel: Channel) -> None:
        await channel.play(Play(("none", "stream"), barge_in=False))

    asterisk = Asterisk(missing=("none", "en/none"), samples=0)
    await held(talk, asterisk)
    assert limits(asterisk) == [70]


def test_lengths_are_asked_for_again_after_a_minute_and_their_number_is_bounded() -> None:
    now = [0.0]
    lengths = SoundLengths(lambda: now[0])
    assert lengths.learn("en", "a", Reply(200, "0", "endpos=16000")) == 2
    now[0] = 59
    assert (lengths.get("en", "a"), lengths.get("de", "a")) == (2, None)
    now[0] = 60
    assert lengths.get("en", "a") is None
    for number in range(5000):
        lengths.learn("en", str(number), Reply(200, "0", "endpos=8000"))
    assert len(lengths._known) <= 1000


def test_a_value_that_asterisk_says_is_given_the_time_it_takes() -> None:
    assert longest_saying(Spoken("digits", "123456")) == 17
