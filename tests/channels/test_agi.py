"""The FastAGI server on a real socket, and an Asterisk from a script at the other end."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from urllib.parse import quote

import pytest
from core.build import GOLD, NUMBER, SALES, route, source
from fakes import CLOSE, DEAD, RESET, Asterisk, FakeLookup, environment

from routing_engine.call import CallRun
from routing_engine.channels.agi.server import AgiChannel
from routing_engine.core.asks import Collect, Play, Typed
from routing_engine.core.destinations import PROFILES
from routing_engine.core.model import Input
from routing_engine.core.ports import Channel
from routing_engine.errors import CallerHungUp, ChannelBroken

from .contract import LiveChannelContract, Scenario, Seen, Talk
from .serving import NUM, Handler, finished, functions, held, holding, port, serving, waiting

pytestmark = pytest.mark.io


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
    assert (seen.gave, len(asterisk.lines)) == (Typed("123456"), 3)


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
    assert (seen.gave, len(asterisk.lines)) == (Typed("5"), 2)


async def test_the_dialplans_watchdog_holds_until_a_step_that_lasts() -> None:
    async def talk(channel: Channel) -> None:
        await channel.begin(61.4, "", ())
        await channel.answer("before_prompts")
        await channel.expect(61.4)

    asterisk = Asterisk()
    await held(talk, asterisk)
    assert asterisk.commands == [["ANSWER"], ["SET", "VARIABLE", "TIMEOUT(absolute)", "71.4"]]


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
    assert len(asterisk.lines) <= 1


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
        await CallRun(channel, lookup, {"support": asked}.get, PROFILES["plain"], clock, fail).run(channel.route)

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
