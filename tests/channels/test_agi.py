"""The FastAGI server on a real socket, and an Asterisk from a script at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from core.build import GOLD, NUMBER, SALES, route, source
from fakes import CLOSE, DEAD, RESET, SILENCE, Asterisk, FakeLookup, environment

from routing_engine.call import Call
from routing_engine.channels.agi.channel import SharedFacts
from routing_engine.channels.agi.server import AgiChannel, AgiServer, AgiSettings
from routing_engine.core.asks import Collect, Play, Typed
from routing_engine.core.destinations import PROFILES
from routing_engine.core.model import Filler, Input, Operand, Value
from routing_engine.core.ports import Channel
from routing_engine.errors import CallerHungUp, ChannelBroken

from .contract import LiveChannelContract, Scenario, Seen, Talk

pytestmark = pytest.mark.io

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=ZoneInfo("Europe/Vienna"))
Handler = Callable[[AgiChannel], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler, site: SharedFacts | None = None, **limits: float) -> AsyncIterator[AgiServer]:
    """Run a server, and see that no task and no session is left of it."""
    about = (
        {} if site is None else {"fallback_language": site.fallback_language, "extension_state": site.extension_state}
    )
    server = AgiServer(handler, AgiSettings("AT", lambda: NOW, **limits, **about))  # type: ignore[arg-type]
    await server.listen("127.0.0.1", 0)
    async with asyncio.timeout(10):  # what waits for ever is a failure, not a hanging test
        try:
            yield server
        finally:
            await server.stop(0)
            while server._sessions:
                await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def port(server: AgiServer) -> int:
    return int(server.addresses[0].rpartition(":")[2])


async def held(talk: Talk, asterisk: Asterisk, site: SharedFacts | None = None, **changed: str) -> Seen:
    """Hold a talk on one call, to the end of its connection."""
    seen = Seen()
    async with serving(holding(talk, seen), site) as server:
        await asterisk.call(port(server), **changed)
        await seen.over.wait()
    return seen


def holding(talk: Talk, seen: Seen) -> Handler:
    async def carry(channel: AgiChannel) -> None:
        seen.begun.set()
        try:
            seen.gave = await talk(channel)
        except BaseException as error:
            seen.raised = error
            raise
        finally:
            seen.lost = channel.lost
            seen.over.set()

    return carry


async def waiting(_: Channel) -> object:
    return await asyncio.Event().wait()


async def finished(channel: Channel) -> None:
    await channel.hand_back([("ROUTE_STATUS", "OK")])


def functions(states: Mapping[Operand, Value]) -> dict[str, str]:
    """Return what Asterisk's functions tell when the states are these."""
    found = {"QUEUE_EXISTS(sales)": "1"} if any(left.scope == "queue" for left in states) else {}
    for left, value in states.items():
        if left.scope == "device":
            found[f"DEVICE_STATE(PJSIP/{left.name})"] = str(value).upper()
        elif left.scope == "last_agent":
            found["DB(routing-engine-agent/+436641234567)"] = "201%2C1793523600"
        elif left.scope == "call":
            found |= {"STIR_SHAKEN(count)": "1", "STIR_SHAKEN(0,verify_result)": "success"}
            found["STIR_SHAKEN(0,attestation)"] = str(value)
    members, waiting = states.get(Operand("queue", "sales.members")), states.get(Operand("queue", "sales.waiting"))
    found |= {"QUEUE_MEMBER(sales,logged)": str(members), "QUEUE_WAITING_COUNT(sales)": str(waiting)}
    return found | {"QUEUE_MEMBER(sales,free)": str(states.get(Operand("queue", "sales.free")))}


class TestAgiChannel(LiveChannelContract):
    """FastAGI keeps the contract of every channel."""

    async def carried(self, scenario: Scenario, talk: Talk) -> Seen:
        known = {name: quote(value) for name, value in scenario.variables.items()} | functions(scenario.states)
        keys = [f"{ord(scenario.key)} endpos=1280"] if scenario.key else []
        asterisk = Asterisk(keys=keys, tries=scenario.typed, missing=scenario.missing, known=known)
        seen = Seen()
        async with serving(holding(talk, seen)) as server:
            await asterisk.connect(port(server))
            asterisk.send(environment())
            if scenario.hangs_up:
                await seen.begun.wait()
                asterisk.send("HANGUP\n")
            await asterisk.serve()
            await seen.over.wait()
        seen.variables = [(words[2], words[3]) for words in asterisk.commands if words[:2] == ["SET", "VARIABLE"]]
        return seen


# Collecting digits: settled detail 7, in the commands that Asterisk gets


NUM = Input(min=4, max=6, first_digit_timeout_s=5, inter_digit_timeout_s=2.5)
STAR, NONE = replace(NUM, terminator="*"), replace(NUM, terminator="")
EARLY = replace(NUM, accept_early=True, pattern=re.compile("1.*|9.{5}"))

#: the input, digits typed ahead, the results of GET DATA, the digits that are given, the GET DATA that are sent.
COLLECTS = [
    (NUM, "", [" (timeout)"], "", ["enter 5000 1"]),
    (NUM, "", ["1", "2345 (timeout)"], "12345", ["enter 5000 1", " 2500 5"]),
    (NUM, "", ["1", "23456"], "123456", ["enter 5000 1", " 2500 5"]),
    (NUM, "", ["1", "234"], "1234", ["enter 5000 1", " 2500 5"]),
    (NUM, "", ["1", " (timeout)"], "1", ["enter 5000 1", " 2500 5"]),
    (NUM, "", [""], "", ["enter 5000 1"]),
    (NUM, "", ["*", "1234 (timeout)"], "*1234", ["enter 5000 1", " 2500 5"]),
    (NUM, "", ["1", "2*45 (timeout)"], "12*45", ["enter 5000 1", " 2500 5"]),
    (NUM, "", ["-1", "1", "23456"], "123456", ["enter 5000 1", " 5000 1", " 2500 5"]),
    (NUM, "1", ["23456"], "123456", [" 2500 5"]),
    (NUM, "12", ["34 (timeout)"], "1234", [" 2500 4"]),
    (NUM, "123456", [], "123456", []),
    (replace(NUM, min=1, max=1), "", ["0"], "0", ["enter 5000 1"]),
    (STAR, "", ["1", "2", "3", "4", "*"], "1234", ["enter 5000 1", *[" 2500 1"] * 4]),
    (STAR, "", ["*"], "", ["enter 5000 1"]),
    (STAR, "", ["1", "", " (timeout)"], "1#", ["enter 5000 1", *[" 2500 1"] * 2]),
    (STAR, "", ["1", "2", " (timeout)"], "12", ["enter 5000 1", *[" 2500 1"] * 2]),
    (NONE, "", ["1", "2", "3", "4", "5", "6"], "123456", ["enter 5000 1", *[" 2500 1"] * 5]),
    (NONE, "", ["1", "", "2", " (timeout)"], "1#2", ["enter 5000 1", *[" 2500 1"] * 3]),
    (NONE, "", [" (timeout)"], "", ["enter 5000 1"]),
    (EARLY, "", ["1", "234"], "1234", ["enter 5000 1", " 2500 3"]),
    (EARLY, "", ["9", "234", "5", "6"], "923456", ["enter 5000 1", " 2500 3", *[" 2500 1"] * 2]),
    (EARLY, "", ["9", "234", "5", ""], "92345", ["enter 5000 1", " 2500 3", *[" 2500 1"] * 2]),
    (EARLY, "", ["9", "234", " (timeout)"], "9234", ["enter 5000 1", " 2500 3", " 2500 1"]),
    (EARLY, "", ["1", "23"], "123", ["enter 5000 1", " 2500 3"]),
    (EARLY, "", ["1", "2 (timeout)"], "12", ["enter 5000 1", " 2500 3"]),
    (EARLY, "1", ["234"], "1234", [" 2500 3"]),
    (replace(EARLY, min=1), "", ["9", "2", "3", "4", "5", "6"], "923456", ["enter 5000 1", *[" 2500 1"] * 5]),
    (replace(EARLY, min=1, pattern=None), "", ["1"], "1", ["enter 5000 1"]),
    (replace(EARLY, terminator=""), "", ["1", "2", "3", "4"], "1234", ["enter 5000 1", *[" 2500 1"] * 3]),
    (
        replace(EARLY, pattern=None, check="luhn"),
        "",
        ["4", "242", "9"],
        "4242",
        ["enter 5000 1", " 2500 3"],
    ),
]


@pytest.mark.parametrize(("one", "ahead", "results", "digits", "asked"), COLLECTS)
async def test_collect(one: Input, ahead: str, results: list[str], digits: str, asked: list[str]) -> None:
    asterisk = Asterisk(results)
    seen = await held(lambda channel: channel.collect(Collect(one, ("enter",), ahead)), asterisk)
    assert isinstance(seen.gave, Typed)
    assert (seen.gave.digits, asterisk.lines) == (digits, [f"GET DATA {line}" for line in asked])


STRAYS = [
    (["1", "23456", "", "6", "54321"], "654321"),
    (["1", "23456", "", ""], ""),
    (["1", "23456", "", " (timeout)"], ""),
    (["1", "2345", "", "6"], ""),
    (["1", "2345 (timeout)", "", "6"], ""),
]


@pytest.mark.parametrize(("results", "second"), STRAYS)
async def test_a_terminator_that_nobody_waited_for_is_not_the_next_input(results: list[str], second: str) -> None:
    async def talk(channel: Channel) -> object:
        return [(await channel.collect(Collect(NUM, ("enter",)))).digits for _ in range(2)]

    seen = await held(talk, Asterisk(results))
    assert isinstance(seen.gave, list)
    assert seen.gave[1] == second


async def test_of_several_prompts_the_last_waits_for_the_first_key() -> None:
    asterisk = Asterisk(["1", "23456"])
    await held(lambda channel: channel.collect(Collect(NUM, ("invalid", "again", "enter"))), asterisk)
    assert asterisk.lines[:3] == [
        "STREAM FILE invalid 0123456789*#",
        "STREAM FILE again 0123456789*#",
        "GET DATA enter 5000 1",
    ]


async def test_a_key_during_an_earlier_prompt_is_the_first_digit() -> None:
    asterisk = Asterisk(["23456"], ["0 endpos=1", "49 endpos=2"])
    seen = await held(lambda channel: channel.collect(Collect(NUM, ("invalid", "again", "enter"))), asterisk)
    assert (seen.gave, len(asterisk.commands)) == (Typed("123456"), 3)


async def test_without_a_prompt_digits_are_waited_for_at_once() -> None:
    asterisk = Asterisk(["1", "23456"])
    await held(lambda channel: channel.collect(Collect(NUM, ())), asterisk)
    assert asterisk.lines[0] == "GET DATA  5000 1"


async def test_missing_prompts_are_named_and_the_wait_goes_on() -> None:
    asterisk = Asterisk(["-1", "1", "23456"], ["-1 endpos=0", "0 endpos=9"])
    seen = await held(lambda channel: channel.collect(Collect(NUM, ("a", "b", "c"))), asterisk)
    assert seen.gave == Typed("123456", ("a", "c"))


async def test_the_shortest_wait_is_a_millisecond_because_nothing_means_six_seconds() -> None:
    asterisk = Asterisk([" (timeout)"])
    await held(lambda channel: channel.collect(Collect(replace(NUM, first_digit_timeout_s=0), ())), asterisk)
    assert asterisk.lines == ["GET DATA  1 1"]


# Playing, opening, filling


async def test_sounds_without_barge_in_listen_to_no_key() -> None:
    asterisk = Asterisk()
    await held(lambda channel: channel.play(Play(("a", "b"), barge_in=False)), asterisk)
    assert asterisk.lines == ["STREAM FILE a ", "STREAM FILE b "]


async def test_a_key_ends_all_sounds_that_would_follow() -> None:
    asterisk = Asterisk(keys=["0 endpos=1", "53 endpos=2"])
    seen = await held(lambda channel: channel.play(Play(("a", "b", "c"))), asterisk)
    assert (seen.gave, len(asterisk.commands)) == (Typed("5"), 2)


async def test_the_watchdog_is_moved_with_the_first_command() -> None:
    asterisk = Asterisk()
    await held(lambda channel: channel.begin(61.4, "", ()), asterisk)
    assert asterisk.commands == [["SET", "VARIABLE", "TIMEOUT(absolute)", "61"]]


@pytest.mark.parametrize(
    ("script", "language", "set_to"),
    [
        ("support?language=de", "", "de"),
        ("support?language=de", "fr", "de"),
        ("support", "fr", "fr"),
        ("support", "en", None),
        ("support", "", None),
    ],
)
async def test_the_language_of_the_url_then_of_the_route(script: str, language: str, set_to: str | None) -> None:
    asterisk = Asterisk()
    seen = await held(lambda channel: channel.begin(60, language, ()), asterisk, network_script=script)
    assert asterisk.variables.get("CHANNEL(language)") == set_to
    assert getattr(seen.gave, "language", "") == (set_to or "en")


async def test_a_variable_is_read_whole_and_percent_encoded() -> None:
    asterisk = Asterisk(known={"X": "a%0Ab%29%20%C3%BC"})
    seen = await held(lambda channel: channel.begin(60, "", ("X",)), asterisk)
    assert getattr(seen.gave, "variables", None) == {"X": "a\nb) ü"}
    assert asterisk.commands[-1] == ["GET", "FULL", "VARIABLE", "${URIENCODE(${X})}"]


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


@pytest.mark.parametrize(("filler", "commands"), FILLERS)
async def test_a_call_that_nobody_answered_rings_instead(filler: Filler, commands: list[str]) -> None:
    async def talk(channel: Channel) -> None:
        await channel.fill(filler)
        await channel.fill(None)

    asterisk = Asterisk()
    await held(talk, asterisk)
    assert asterisk.lines == (["EXEC Ringing ", "EXEC StopPlaytones "] if filler.kind != "none" else [])


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
        if words[0] not in ("STREAM", "WAIT") or words[3:] == [""]:
            return super()._text(words)
        key, self.presses = self.presses[:1], self.presses[1:]
        return f"200 result={ord(key)} endpos={8000 * len(self.commands)}" if key else SILENCE


def filled(kind: str, then: Callable[[Channel], Awaitable[object]]) -> Talk:
    """Fill a wait until all keys are pressed, then go on."""

    async def talk(channel: Channel) -> object:
        await channel.answer("before_prompts")
        await channel.fill(Filler(0, kind, "wait"))  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        await channel.fill(None)
        return await then(channel)

    return talk


@pytest.mark.parametrize("kind", ["music", "ringing", "sound", "none"])
@pytest.mark.parametrize(
    ("pressed", "given"), [("123456", "123456"), ("1234#", "1234"), ("#1234#", "1234"), ("1234567", "123456")]
)
async def test_digits_pressed_during_a_look_up_are_those_of_the_next_input(kind: str, pressed: str, given: str) -> None:
    seen = await held(filled(kind, lambda channel: channel.collect(Collect(NUM, ("a",)))), Pressing(presses=pressed))
    assert seen.gave == Typed(given)


@pytest.mark.parametrize("kind", ["music", "sound"])
async def test_what_is_too_much_belongs_to_the_input_behind(kind: str) -> None:
    async def two(channel: Channel) -> object:
        return [(await channel.collect(Collect(NUM, ("a",)))).digits for _ in range(2)]

    assert (await held(filled(kind, two), Pressing(presses="1234#5678#"))).gave == ["1234", "5678"]


async def test_digits_pressed_during_a_look_up_skip_the_next_instruction_and_nothing_else() -> None:
    async def both(channel: Channel) -> object:
        announced = await channel.play(Play(("gold",), barge_in=False))
        return announced, await channel.play(Play(("welcome",)))

    asterisk = Pressing(presses="12", on={"STREAM FILE": "200 result=0 endpos=8000"})
    seen = await held(filled("music", both), asterisk)
    assert seen.gave == (Typed(""), Typed("12"))


async def test_a_first_digit_of_a_look_up_is_gone_on_from() -> None:
    asterisk = Pressing(typed=["2345 (timeout)"], presses="1")
    seen = await held(filled("music", lambda channel: channel.collect(Collect(NUM, ("a",)))), asterisk)
    assert (seen.gave, asterisk.lines[-1]) == (Typed("12345"), "GET DATA  2500 5")


async def test_a_sound_goes_on_behind_a_key_and_begins_anew_at_its_end() -> None:
    asterisk = Pressing(presses="1")
    await held(filled("sound", lambda channel: channel.play(Play(()))), asterisk)
    assert asterisk.lines[1:3] == ["STREAM FILE wait 0123456789*#", "STREAM FILE wait 0123456789*# 16000"]


async def test_a_filler_sound_that_is_missing_is_looked_for_in_the_fallback_language_once() -> None:
    asterisk = Asterisk(missing=["wait", "fr/wait"], on={"WAIT FOR": SILENCE})
    await held(filled("sound", lambda channel: channel.play(Play(()))), asterisk, SharedFacts("fr"))
    keys = "0123456789*#"
    assert asterisk.lines[1:] == [f"STREAM FILE wait {keys}", f"STREAM FILE fr/wait {keys}", LISTEN, CUT]


async def test_a_cut_that_asterisk_read_with_the_line_before_is_repeated() -> None:
    asterisk = Asterisk(on={**UNTIL_CUT, CUT: SILENCE})
    seen = await held(filled("sound", lambda channel: channel.switch("de")), asterisk)
    assert [line for line in asterisk.lines if "CUT" in line] == [CUT, "GET FULL VARIABLE CUT-2"]
    assert seen.raised is None


ANSWERS = [("before_prompts", ["ANSWER"]), ("early_media", ["EXEC Progress "]), ("never", [])]


@pytest.mark.parametrize(("how", "commands"), ANSWERS)
async def test_prompts_are_made_audible(how: str, commands: list[str]) -> None:
    asterisk = Asterisk()
    await held(lambda channel: channel.answer(how), asterisk)  # type: ignore[arg-type]
    assert asterisk.lines == commands


# Handing back


WANTED = [("ROUTE_REASON", "matched"), ("ROUTE_KIND", "queue"), ("ROUTE_STATUS", "OK")]


async def test_the_decision_goes_back_in_one_burst_and_our_half_closes() -> None:
    asterisk, seen = Asterisk(), Seen()
    async with serving(holding(lambda channel: channel.hand_back(WANTED), seen)) as server:
        await asterisk.connect(port(server))
        asterisk.send(environment())
        burst = await asterisk.reader.read()
        asterisk.send("200 result=1\n" * 4)
        await seen.over.wait()
        await asterisk.ended()
    lines = [f'SET VARIABLE "{name}" "{value}"' for name, value in [("TIMEOUT(absolute)", "0"), *WANTED]]
    assert burst.decode().splitlines() == lines
    assert seen.raised is None


BAD_ENDS = [
    {"SET VARIABLE ROUTE_KIND": DEAD},
    {"SET VARIABLE ROUTE_STATUS": "520 Invalid command syntax.  Proper usage not available."},
    {"SET VARIABLE ROUTE_STATUS": CLOSE},
    {"SET VARIABLE ROUTE_REASON": CLOSE},
    {"SET VARIABLE ROUTE_REASON": RESET},
    {"SET VARIABLE ROUTE_KIND": "garbage"},
]


@pytest.mark.parametrize("on", BAD_ENDS, ids=str)
async def test_a_burst_that_was_not_all_taken_is_no_success(on: dict[str, str]) -> None:
    seen = await held(lambda channel: channel.hand_back(WANTED), Asterisk(on=on))
    assert isinstance(seen.raised, ChannelBroken)


async def test_a_hang_up_during_the_burst_does_not_undo_it() -> None:
    on = {"SET VARIABLE ROUTE_REASON": "HANGUP\n200 result=1"}
    seen = await held(lambda channel: channel.hand_back(WANTED), Asterisk(on=on))
    assert seen.raised is None


# Hang-ups


GONE = {
    "HANGUP before the reply": f"HANGUP\n{DEAD}",
    "-1, then HANGUP": "200 result=-1 endpos=5760\nHANGUP",
    "only -1 (AGISIGHUP=no)": "200 result=-1 endpos=5760",
    "only 511 (AGISIGHUP=no)": DEAD,
}


@pytest.mark.parametrize("name", GONE)
async def test_a_hang_up_in_a_sound_ends_the_call(name: str) -> None:
    asterisk = Asterisk(on={"STREAM FILE": GONE[name]})
    seen = await held(lambda channel: channel.play(Play(("a", "b"))), asterisk)
    assert isinstance(seen.raised, CallerHungUp | asyncio.CancelledError)
    assert len(asterisk.commands) == 1


@pytest.mark.parametrize("after", ["200 result=-1", DEAD])
async def test_a_hang_up_while_digits_are_read_is_told_from_a_missing_prompt(after: str) -> None:
    asterisk = Asterisk(on={"GET DATA enter": "200 result=-1", "GET DATA": after})
    seen = await held(lambda channel: channel.collect(Collect(NUM, ("enter",))), asterisk)
    assert isinstance(seen.raised, CallerHungUp)


@pytest.mark.parametrize("end", ["HANGUP\n", "HANGUP\nHANGUP\n"])
async def test_a_hang_up_during_a_look_up_cancels_it_at_once(end: str) -> None:
    asterisk, seen = Asterisk(), Seen()
    async with serving(holding(waiting, seen)) as server:
        await asterisk.connect(port(server))
        asterisk.send(environment())
        await seen.begun.wait()
        asterisk.send(end)
        assert await asterisk.ended() == b""
    assert isinstance(seen.raised, asyncio.CancelledError)
    assert isinstance(seen.lost, CallerHungUp)


@pytest.mark.parametrize("reset", [True, False], ids=["RST", "EOF"])
async def test_a_connection_that_ends_during_a_look_up_cancels_it(reset: bool) -> None:
    asterisk, seen = Asterisk(), Seen()
    async with serving(holding(waiting, seen)) as server:
        await asterisk.connect(port(server))
        asterisk.send(environment())
        await seen.begun.wait()
        asterisk.reset() if reset else asterisk.writer.close()
        await seen.over.wait()
    assert isinstance(seen.lost, ChannelBroken)


async def test_a_hang_up_in_the_segment_of_the_environment_closes_the_session() -> None:
    asterisk = Asterisk()
    async with serving(finished) as server:
        await asterisk.connect(port(server))
        asterisk.send(environment() + b"HANGUP\n")
        assert await asterisk.ended() == b""
        while server.calls:
            await asyncio.sleep(0)


FAULTS = [
    "510 Invalid or unknown command",
    "520-Usage\nx\n520 End of proper usage.",
    "520 No usage.",
    "garbage",
    CLOSE,
    RESET,
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_in_mid_call_is_a_broken_channel(fault: str) -> None:
    seen = await held(lambda channel: channel.play(Play(("a",))), Asterisk(on={"STREAM FILE": fault}))
    assert isinstance(seen.raised, ChannelBroken | asyncio.CancelledError)
    assert not isinstance(seen.lost, CallerHungUp)


async def test_a_provisional_reply_is_waited_out() -> None:
    on = {"ANSWER": "100 result=0 Trying...\n200 result=0"}
    assert (await held(lambda channel: channel.answer("before_prompts"), Asterisk(on=on))).raised is None


async def test_an_error_of_the_handler_closes_the_session() -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def broken(_: AgiChannel) -> None:
        raise ZeroDivisionError

    async with serving(broken) as server:
        await Asterisk().call(port(server))


# A whole call


def fail(error: Exception) -> None:
    raise AssertionError from error


def carrying(lookup: FakeLookup) -> Handler:
    asked = route(source("customers", SALES, by="{input}"), instruction=("welcome",), inputs=(NUMBER,))

    async def carry(channel: AgiChannel) -> None:
        clock = asyncio.get_running_loop().time
        await Call(channel, lookup, {"support": asked}.get, PROFILES["plain"], clock, fail).run(channel.route)

    return carry


async def test_a_call_from_the_first_byte_to_the_last() -> None:
    asterisk = Asterisk(["23456 (timeout)"], ["49 endpos=1280"])
    async with serving(carrying(FakeLookup({"customers": GOLD}))) as server:
        await asterisk.call(port(server))
    assert asterisk.lines[:3] == ["ANSWER", "STREAM FILE welcome 0123456789*#", "GET DATA  3000 9"]
    assert (asterisk.variables["ROUTE_TARGET"], list(asterisk.variables)[-1]) == ("sales", "ROUTE_STATUS")


async def test_a_call_whose_caller_goes_during_the_look_up() -> None:
    asterisk = Asterisk(["23456"], ["49 endpos=1280"])
    lookup = FakeLookup(before=asyncio.Event().wait)
    async with serving(carrying(lookup)) as server:
        task = asyncio.create_task(asterisk.call(port(server)))
        await lookup.begun.wait()
        asterisk.send("HANGUP\n")
        await task
    assert (lookup.cancelled, "ROUTE_STATUS" in asterisk.variables) == (True, False)


async def test_five_hundred_calls_at_once() -> None:
    gate = asyncio.Event()
    lookup = FakeLookup({"customers": GOLD}, gate.wait)
    calls = [Asterisk(["23456"], ["49 endpos=1280"]) for _ in range(500)]
    async with serving(carrying(lookup)) as server, asyncio.TaskGroup() as group:
        for asterisk in calls:
            group.create_task(asterisk.call(port(server)))
        while len(lookup.asked) < 500:
            await asyncio.sleep(0)
        assert server.calls == 500
        gate.set()
    assert [asterisk.variables.get("ROUTE_STATUS") for asterisk in calls] == ["OK"] * 500
