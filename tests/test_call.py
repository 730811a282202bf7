"""One live call, with a channel and a look-up that do as they are told."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import pytest
from core.build import ANNA, GOLD, NUMBER, SALES, go, route, rule, say, source, when
from fakes import FOREVER_S, FakeChannel, FakeClock, FakeLookup, FakeSpeech

from routing_engine.call import LISTENING, CallRun
from routing_engine.core.asks import Found, SourceDown
from routing_engine.core.destinations import PROFILES
from routing_engine.core.model import RINGS, Comparison, Decision, Filler, Operand, Record, Route, Spoken, Value
from routing_engine.errors import CallerHungUp, ChannelBroken

ONE = route(source("customers", SALES))
TWO = route(source("customers", SALES), source("leads", SALES))
AT_ONCE, NEVER = Filler(after_s=0), Filler(after_s=3600)


async def carry(
    routes: Route | Mapping[str, Route],
    channel: FakeChannel,
    lookup: FakeLookup | None = None,
    clock: FakeClock | None = None,
    errors: list[Exception] | None = None,
    speech: FakeSpeech | None = None,
) -> Decision:
    """Carry a call along the route `support`; an error of ours fails the test where `errors` does not take it."""
    known = {"support": routes} if isinstance(routes, Route) else routes

    def report(error: Exception) -> None:
        if errors is None:
            raise AssertionError from error
        errors.append(error)

    call = CallRun(channel, lookup or FakeLookup(), known.get, PROFILES["plain"], clock or FakeClock(), report, speech)
    async with asyncio.timeout(FOREVER_S):
        return await call.run("support")


# The way of a call


async def test_the_decision_is_handed_back_and_given() -> None:
    channel = FakeChannel(ANNA)
    decision = await carry(ONE, channel, FakeLookup({"customers": GOLD}))
    assert (decision.rule, decision.reason) == ("everybody", "matched")
    assert channel.variables["ROUTE_EXTEN"] == "sales"


async def test_the_status_is_handed_back_last_and_the_call_id_with_it() -> None:
    channel = FakeChannel(ANNA)
    await carry(ONE, channel)
    assert list(channel.variables.items())[-1] == ("ROUTE_STATUS", "OK")
    assert channel.variables["ROUTE_CALL_ID"] == ANNA.call_id


async def test_the_channel_is_begun_before_anything_else() -> None:
    channel = FakeChannel(ANNA)
    await carry(replace(ONE, language="de", variables=("TRUNK",)), channel)
    assert channel.said[0] == ("begin", (ONE.deadline_s, "de", ("TRUNK",)))


async def test_the_route_sees_the_variables_that_the_channel_read() -> None:
    act = rule("trunk", go("queue", "{call.variable.TRUNK}"))
    decision = await carry(
        replace(route(source("customers", act)), variables=("TRUNK",)),
        FakeChannel(ANNA),
        FakeLookup({"customers": GOLD}),
    )
    assert decision.destination is not None
    assert decision.destination.target == "trunk"


async def test_a_call_keeps_its_revision_whatever_is_reloaded_meanwhile() -> None:
    routes = {"support": ONE}

    async def reload() -> None:
        routes["support"] = replace(ONE, revision="r2")

    decision = await carry(routes, FakeChannel(ANNA), FakeLookup({"customers": GOLD}, reload))
    assert decision.revision == "r1"


async def test_the_next_route_is_begun_with_its_own_limit_and_language() -> None:
    other = replace(ONE, name="other", language="de", deadline_s=9.0)
    channel = FakeChannel(ANNA)
    decision = await carry({"support": route(default=go("route", "other")), "other": other}, channel)
    assert channel.of("begin")[1] == (9.0, "de", ())
    assert decision.route == "other"


async def test_the_time_of_a_prompt_stands_in_the_trail() -> None:
    clock = FakeClock()

    class Slow(FakeChannel):
        async def play(self, ask: object) -> object:  # type: ignore[override]
            clock.now_s += 1.5
            return await super().play(ask)  # type: ignore[arg-type]

    decision = await carry(replace(ONE, instruction=("welcome",)), Slow(ANNA), clock=clock)
    assert decision.trail[0].took_ms == 1500


# What is said, in which language, and what is live


HELLO = say("speech", "Hello {call.name}")


async def test_a_text_is_played_as_the_sound_that_says_it() -> None:
    channel, speech = FakeChannel(ANNA), FakeSpeech({"Hello Anna": "said/1"})
    await carry(replace(ONE, instruction=("hi", HELLO, say("digits", "{call.called}"))), channel, speech=speech)
    assert channel.of("play")[0] == ("hi", "said/1", Spoken("digits", "217"))
    assert speech.asked == [("Hello Anna", "en")]


async def test_a_text_that_nobody_could_say_is_left_out_and_named() -> None:
    channel, asked = FakeChannel(ANNA, ["123456"]), replace(NUMBER, prompt=(HELLO, "enter"))
    decision = await carry(replace(ONE, inputs=(asked,)), channel, speech=FakeSpeech({}))
    assert channel.of("collect") == [("enter",)]
    assert "could not be played: speech Hello Anna" in [step.outcome for step in decision.trail]


async def test_without_a_synthesiser_the_channel_gets_the_text() -> None:
    channel = FakeChannel(ANNA)
    await carry(replace(ONE, instruction=(HELLO,)), channel)
    assert channel.of("play")[0] == (Spoken("speech", "Hello Anna"),)


async def test_the_language_that_was_switched_to_is_that_of_the_synthesiser_too() -> None:
    channel, speech = FakeChannel(ANNA), FakeSpeech({"Hello Anna": "said/1"})
    german = rule("german", go("queue", "sales", HELLO), language="de")
    await carry(route(source("customers", german)), channel, FakeLookup({"customers": GOLD}), speech=speech)
    assert (channel.of("switch"), speech.asked) == (["de"], [("Hello Anna", "de")])


async def test_switching_and_looking_do_not_answer_the_call() -> None:
    busy = rule("busy", go("hangup", "busy"), when("device.201", "is", "inuse"), language="de")
    channel = FakeChannel(ANNA, states={Operand("device", "201"): "inuse"})
    decision = await carry(route(source("customers", busy)), channel, FakeLookup({"customers": GOLD}))
    assert (decision.rule, channel.of("observe")) == ("busy", [(Operand("device", "201"),)])
    assert [name for name, _ in channel.said] == ["begin", "observe", "switch", "hand_back"]


# Answering


@pytest.mark.parametrize("how", ["before_prompts", "early_media", "never"])
async def test_the_channel_is_answered_once_before_the_first_prompt(how: str) -> None:
    channel = FakeChannel(ANNA, ["123456"])
    await carry(replace(ONE, instruction=("hi",), inputs=(NUMBER,), answer=how), channel)  # type: ignore[arg-type]
    assert [name for name, _ in channel.said] == ["begin", "answer", "play", "collect", "play", "hand_back"]
    assert channel.of("answer") == [how]


async def test_a_route_without_prompts_does_not_answer() -> None:
    channel = FakeChannel(ANNA)
    await carry(ONE, channel, FakeLookup({"customers": GOLD}))
    assert channel.of("answer") == []


# The deadline


async def test_the_deadline_is_shared_by_all_sources() -> None:
    clock = FakeClock()
    lookup = FakeLookup(clock=clock, spends_s=1.25)
    three = route(*[source(name, SALES) for name in ("customers", "leads", "partners", "press")], deadline_s=3.0)
    await carry(three, FakeChannel(ANNA), lookup, clock)
    assert lookup.asked == [("customers", 3.0), ("leads", 1.75), ("partners", 0.5)]


async def test_no_source_is_asked_after_the_deadline() -> None:
    clock = FakeClock()
    lookup = FakeLookup(clock=clock, spends_s=3.0)
    decision = await carry(replace(TWO, deadline_s=3.0), FakeChannel(ANNA), lookup, clock)
    assert (lookup.asked, decision.reason) == ([("customers", 3.0)], "source_down")
    assert decision.trail[1].outcome == "down: not asked: the route's 3 s for look-ups have passed"


async def test_the_deadline_is_shared_with_the_route_that_follows() -> None:
    clock = FakeClock()
    lookup = FakeLookup(clock=clock, spends_s=1.0)
    first = replace(ONE, default=go("route", "other"))
    await carry({"support": first, "other": ONE}, FakeChannel(ANNA), lookup, clock)
    assert [left for _, left in lookup.asked] == [3.0, 2.0]


async def test_prompts_do_not_count_against_the_deadline() -> None:
    clock = FakeClock()

    class Slow(FakeChannel):
        async def collect(self, ask: object) -> object:  # type: ignore[override]
            clock.now_s += 60
            return await super().collect(ask)  # type: ignore[arg-type]

    lookup = FakeLookup()
    channel = Slow(ANNA, ["123456"])
    await carry(replace(ONE, inputs=(NUMBER,)), channel, lookup, clock)
    assert lookup.asked == [("customers", 3.0)]


# The filler


async def test_the_filler_plays_during_a_long_look_up_and_ends_with_it() -> None:
    channel = FakeChannel(ANNA)
    await carry(replace(ONE, filler=AT_ONCE), channel, FakeLookup(before=channel.filling.wait))
    assert channel.of("fill") == [AT_ONCE, None]


async def test_the_filler_ends_before_the_decision_plays() -> None:
    channel = FakeChannel(ANNA)
    await carry(replace(ONE, filler=AT_ONCE), channel, FakeLookup(before=channel.filling.wait))
    assert [name for name, _ in channel.said] == ["begin", "answer", "fill", "fill", "play", "hand_back"]


async def test_ringing_as_a_filler_leaves_the_call_unanswered() -> None:
    channel = FakeChannel(ANNA)
    ringing = replace(ONE, filler=replace(AT_ONCE, kind="ringing"), default=replace(ONE.default, play=()))
    await carry(ringing, channel, FakeLookup(before=channel.filling.wait))
    assert channel.of("fill") == [ringing.filler, None]
    assert channel.of("answer") == []


@pytest.mark.parametrize(
    ("answer", "silence"), [("early_media", "2.00"), ("before_prompts", "2.00"), ("never", "0.00")]
)
async def test_silence_behind_a_filler_counts_where_the_caller_hears_us(
    answer: Literal["before_prompts", "early_media", "never"], silence: str
) -> None:
    clock = FakeClock()

    class SlowState(FakeChannel):
        async def observe(self, lefts: Sequence[Operand]) -> Mapping[Operand, Value]:
            clock.now_s += 2.0
            return await super().observe(lefts)

    channel = SlowState(ANNA)
    busy = rule("busy", go("queue", "vip"), Comparison(Operand("device", "200"), "is", "busy"))
    lookup = FakeLookup({"customers": GOLD}, channel.filling.wait, clock=clock, spends_s=2.0)
    asked = replace(route(source("customers", busy)), answer=answer, filler=AT_ONCE)
    decision = await carry(asked, channel, lookup, clock)
    assert decision.trail[-1].outcome == f"waited 2.00 s for look-ups; the longest silence was {silence} s"


async def test_a_quick_look_up_has_no_filler() -> None:
    channel = FakeChannel(ANNA)
    await carry(replace(TWO, filler=NEVER), channel, FakeLookup(before=lambda: asyncio.sleep(0)))
    assert channel.of("fill") == []


async def test_a_filler_never_begins_after_its_look_up() -> None:
    channel = FakeChannel(ANNA)
    await carry(replace(ONE, filler=AT_ONCE), channel)
    for _ in range(3):
        await asyncio.sleep(0)
    assert channel.of("fill") == []


async def test_a_filler_has_begun_before_it_is_ended() -> None:
    channel = SlowFill(ANNA)
    await carry(replace(ONE, filler=AT_ONCE), channel, FakeLookup(before=channel.filling.wait))
    assert channel.of("fill") == [AT_ONCE, None]


class SlowFill(FakeChannel):
    """Takes three turns of the loop to begin a filler."""

    async def fill(self, filler: Filler | None) -> None:
        self.filling.set()
        for _ in range(3 if filler else 0):
            await asyncio.sleep(0)
        await super().fill(filler)


async def test_a_filler_that_is_beginning_goes_with_a_hang_up() -> None:
    channel, lookup = SlowFill(ANNA), FakeLookup(before=asyncio.Event().wait)
    task = asyncio.create_task(carry(replace(ONE, filler=AT_ONCE), channel, lookup))
    await channel.filling.wait()
    channel.hang_up(task)
    with pytest.raises(CallerHungUp):
        await task
    await asyncio.sleep(0)
    assert (channel.of("fill"), asyncio.all_tasks()) == ([], {asyncio.current_task()})


async def test_the_filler_goes_on_over_the_sources() -> None:
    channel = FakeChannel(ANNA)
    lookup = FakeLookup(before=channel.filling.wait)
    await carry(replace(TWO, filler=AT_ONCE), channel, lookup)
    assert [name for name, _ in lookup.asked] == ["customers", "leads"]
    assert channel.of("fill") == [AT_ONCE, None]


async def test_the_filler_makes_way_for_the_next_route_and_goes_on_at_once_there() -> None:
    channel = FakeChannel(ANNA)

    async def until_filled() -> None:
        channel.filling.clear()
        await channel.filling.wait()

    later = Filler(after_s=0.05, kind="ringing")
    routes = {
        "support": replace(ONE, filler=AT_ONCE, default=go("route", "other")),
        "other": replace(ONE, name="other", filler=later),
    }
    await carry(routes, channel, FakeLookup(before=until_filled))
    assert channel.of("fill") == [AT_ONCE, None, later, None]


async def test_the_filler_ends_when_the_look_up_raises() -> None:
    channel = FakeChannel(ANNA)
    lookup = FakeLookup({"customers": KeyError("x")}, channel.filling.wait)
    await carry(replace(ONE, filler=AT_ONCE), channel, lookup, errors=[])
    assert channel.of("fill") == [AT_ONCE, None]


async def test_a_filler_that_fails_on_a_hang_up_leaves_nothing_behind() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    await hang_up_on_a_failing_filler()
    gc.collect()
    assert (complaints, asyncio.all_tasks()) == ([], {asyncio.current_task()})


async def hang_up_on_a_failing_filler() -> None:
    channel = FakeChannel(ANNA, raises={"fill": CallerHungUp("gone")})
    lookup = FakeLookup(before=asyncio.Event().wait)
    task = asyncio.create_task(carry(replace(ONE, filler=AT_ONCE), channel, lookup))
    while not channel.of("fill"):
        await asyncio.sleep(0)
    channel.hang_up(task)
    await asyncio.wait([task])
    assert isinstance(task.exception(), CallerHungUp)


# Hang-ups and errors


async def test_a_hang_up_during_a_look_up_cancels_it() -> None:
    channel, lookup = FakeChannel(ANNA), FakeLookup(before=asyncio.Event().wait)
    task = asyncio.create_task(carry(ONE, channel, lookup))
    await lookup.begun.wait()
    channel.hang_up(task)
    with pytest.raises(CallerHungUp):
        await task
    assert (lookup.cancelled, channel.of("hand_back")) == (True, [])


async def test_a_service_that_stops_cancels_the_call_as_such() -> None:
    channel, lookup = FakeChannel(ANNA), FakeLookup(before=asyncio.Event().wait)
    task = asyncio.create_task(carry(ONE, channel, lookup))
    await lookup.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lookup.cancelled


@pytest.mark.parametrize("method", ["begin", "answer", "play", "collect", "hand_back"])
async def test_a_hang_up_at_any_moment_ends_the_call_quietly(method: str) -> None:
    channel = FakeChannel(ANNA, raises={method: CallerHungUp("gone")})  # type: ignore[dict-item]
    with pytest.raises(CallerHungUp):
        await carry(replace(ONE, instruction=("hi",), inputs=(NUMBER,)), channel)
    assert channel.said[-1][0] == method


@pytest.mark.parametrize("error", [KeyError("x"), ChannelBroken("520")], ids=repr)
async def test_a_filler_that_fails_costs_nobody_the_call(error: Exception) -> None:
    errors: list[Exception] = []
    channel = FakeChannel(ANNA, raises={"fill": error})
    lookup = FakeLookup({"customers": Record({"tier": "gold"})}, before=channel.filling.wait)
    decision = await carry(replace(ONE, filler=AT_ONCE), channel, lookup, errors=errors)
    assert (decision.reason, decision.failed) == ("matched", False)
    assert error in errors


@pytest.mark.parametrize("method", ["begin", "answer", "play", "collect"])
@pytest.mark.parametrize("error", [KeyError("x"), ChannelBroken("520"), TimeoutError()], ids=repr)
async def test_an_error_of_the_channel_is_the_default(method: str, error: Exception) -> None:
    errors: list[Exception] = []
    channel = FakeChannel(ANNA, ["123456"], raises={method: error})  # type: ignore[dict-item]
    asked = replace(ONE, instruction=("hi",), inputs=(NUMBER,), filler=AT_ONCE)
    decision = await carry(asked, channel, errors=errors)
    assert (decision.reason, channel.variables["ROUTE_STATUS"], errors) == ("error", "FALLBACK", [error])
    assert channel.variables["ROUTE_CONTEXT"] == "routing-engine-ivr"


async def test_an_error_of_the_look_up_is_the_default() -> None:
    errors: list[Exception] = []
    channel = FakeChannel(ANNA)
    decision = await carry(ONE, channel, FakeLookup({"customers": ZeroDivisionError()}), errors=errors)
    assert channel.variables["ROUTE_STATUS"] == "FALLBACK"
    assert decision.trail[0].outcome == "ZeroDivisionError: the engine could not follow the route"


async def test_an_error_of_the_core_is_the_default() -> None:
    errors: list[Exception] = []
    channel = FakeChannel(ANNA)
    broken = route(source("customers", rule("broken", go("teleport", "x"))))
    await carry(broken, channel, FakeLookup({"customers": GOLD}), errors=errors)
    assert (channel.variables["ROUTE_REASON"], channel.variables["ROUTE_STATUS"]) == ("error", "FALLBACK")
    assert isinstance(errors[0], KeyError)


async def test_an_error_on_the_second_route_is_that_routes_default() -> None:
    other = replace(ONE, default=go("queue", "other"))
    channel = FakeChannel(ANNA)
    first = {"support": route(default=go("route", "other")), "other": other}
    await carry(first, channel, FakeLookup({"customers": KeyError()}), errors=[])
    assert channel.variables["ROUTE_TARGET"] == "other"


async def test_what_breaks_with_the_connection_is_not_handed_back() -> None:
    channel = FakeChannel(ANNA, raises={"play": ChannelBroken("closed")})
    channel.lost = ChannelBroken("closed")
    with pytest.raises(ChannelBroken):
        await carry(replace(ONE, instruction=("hi",)), channel)
    assert channel.of("hand_back") == []


async def test_an_unknown_route_is_a_fallback_without_a_kind() -> None:
    channel = FakeChannel(ANNA)
    decision = await carry({}, channel)
    assert [name for name, _ in channel.said] == ["hand_back"]
    assert (channel.variables["ROUTE_STATUS"], "ROUTE_KIND" in channel.variables) == ("FALLBACK", False)
    assert decision.trail[0].outcome == "there is no route 'support'"


async def test_a_source_that_is_down_is_no_error() -> None:
    channel = FakeChannel(ANNA)
    await carry(ONE, channel, FakeLookup({"customers": SourceDown("503")}))
    assert (channel.variables["ROUTE_REASON"], channel.variables["ROUTE_STATUS"]) == ("source_down", "OK")


async def test_several_records_reach_the_core() -> None:
    lookup = FakeLookup({"customers": Found((Record({"a": 1}), Record({"a": 2})))})
    decision = await carry(ONE, FakeChannel(ANNA), lookup)
    assert decision.trail[0].outcome == "2 records, taking the first"


# The watchdog's limit


async def test_a_look_up_that_lasts_is_expected_with_what_is_left_of_the_deadline() -> None:
    clock, channel = FakeClock(), FakeChannel(ANNA)
    two = route(source("a", rule("x", go("queue", "x"))), source("b", rule("y", go("queue", "y"))), deadline_s=3.0)
    await carry(two, channel, FakeLookup(before=channel.filling.wait, clock=clock, spends_s=1.0), clock=clock)
    assert channel.expected == [3.0]


async def test_a_look_up_that_is_answered_at_once_costs_no_command() -> None:
    channel = FakeChannel(ANNA)
    await carry(ONE, channel, FakeLookup({"customers": GOLD}))
    assert channel.expected == []


async def test_texts_that_are_made_sounds_are_expected() -> None:
    channel = FakeChannel(ANNA)
    said = Spoken("speech", "hello"), Spoken("speech", "again")
    speech = FakeSpeech({"hello": "/a", "again": "/b"})
    talk = CallRun(channel, FakeLookup(), {}.get, {}, FakeClock(), print, speech)
    await talk._synthesised(said)
    assert channel.expected == [6.0]


async def test_a_route_that_decides_at_once_expects_nothing() -> None:
    channel = FakeChannel(ANNA)
    await carry(route(default=go("queue", "vip")), channel)
    assert channel.expected == []


async def test_silence_counts_where_the_dialplan_has_answered_before_us() -> None:
    clock, channel = FakeClock(), FakeChannel(ANNA)
    channel.up = True

    async def until_filled() -> None:
        clock.now_s += 0.5
        await channel.filling.wait()  # nothing is heard yet: keys are listened for

    lookup = FakeLookup({"customers": GOLD}, until_filled, clock=clock, spends_s=1.0)
    decision = await carry(replace(ONE, filler=Filler(after_s=3600), deadline_s=9.0), channel, lookup, clock)
    assert decision.trail[-1].outcome == "waited 1.50 s for look-ups; the longest silence was 1.50 s"


@pytest.mark.parametrize(("filler", "rings"), [(NEVER, RINGS), (replace(NEVER, kind="none", name=""), "")])
async def test_a_call_that_is_not_up_rings_unless_its_route_wants_no_filler(filler: Filler, rings: str) -> None:
    channel = FakeChannel(ANNA)
    await carry(replace(ONE, filler=filler), channel, FakeLookup(before=channel.filling.wait))
    assert channel.of("fill") == [replace(LISTENING, name=rings), None]
