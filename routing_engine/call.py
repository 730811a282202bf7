"""One live call: answers what the core asks, within the deadline, and hands the decision back.

Whatever happens here the caller lands somewhere: on the decision, else on the route's default with reason `error`,
else (the channel is gone) on the dialplan's own fallback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, cast

from routing_engine.core.asks import (
    Answer,
    Collect,
    Find,
    Found,
    Observe,
    Observed,
    Open,
    Opened,
    Play,
    Prefetch,
    SourceDown,
    Switch,
    Typed,
)
from routing_engine.core.decide import decide, fall_back
from routing_engine.core.destinations import variables
from routing_engine.core.events import EarlyFate
from routing_engine.core.model import RINGS, Caller, Decision, Filler, Route, Sound, Spoken, TrailStep
from routing_engine.core.ports import TOO_LATE, Channel, Clock, Lookup, Speech
from routing_engine.errors import CallerHungUp, ChannelError

#: Nobody is asked in less than this: a loop's timer may fire a moment before the deadline.
LEAST_LOOKUP_S = 0.01
#: A look-up whose time is up has this long to say so, or to give the last known record.
LAST_WORD_S = 0.05
#: A look-up that nobody waits for yet may last as long as the longest that a route may allow.
LONGEST_EARLY_S = 60.0
#: What comes before any filler: keys are kept, and a call that is not up rings, as soon as a look-up takes longer than
#: nearly all do.
LISTENING = Filler(0.1, "none", RINGS)
#: A wait that is shorter would read 0.00 s in the trail.
WORTH_SAYING_S = 0.005


_Asked: TypeAlias = tuple[str, str, str, str, bool]
_Early: TypeAlias = asyncio.Task[Found | SourceDown]


@dataclass(slots=True)
class CallerExperience:
    """What a caller went through: seconds waited for look-ups, and the longest time without any sound.

    Silence counts once we have answered the call: before that the caller's own telephone rings. `missing` and `unsaid`
    count prompts that were not heard, `early` tells whether look-ups that were begun ahead were of use.
    """

    waited_s: float = 0.0
    silence_s: float = 0.0
    quiet_since: float | None = None
    missing: int = 0
    unsaid: int = 0
    early: list[tuple[str, EarlyFate]] = field(default_factory=list)

    def starts_silence(self, now: float) -> None:
        """Note that nothing is to be heard from now on."""
        self.quiet_since = now if self.quiet_since is None else self.quiet_since

    def ends_silence(self, now: float) -> None:
        """Note that something is to be heard."""
        if self.quiet_since is not None:
            self.silence_s = max(self.silence_s, now - self.quiet_since)
            self.quiet_since = None


class CallRun:
    """What one call needs while it is decided. One instance per call."""

    __slots__ = (
        "_answered",
        "_channel",
        "_clock",
        "_early",
        "_filler",
        "_lookup",
        "_open_route",
        "_profile",
        "_report",
        "_speech",
        "_waiting_since",
        "heard",
    )

    def __init__(
        self,
        channel: Channel,
        lookup: Lookup,
        open_route: Callable[[str], Route | None],
        profile: Mapping[str, str],
        clock: Clock,
        report: Callable[[Exception], None],
        speech: Speech | None = None,
    ) -> None:
        self._channel = channel
        self._lookup = lookup
        self._open_route = open_route
        self._profile = profile
        self._clock = clock
        self._report = report
        self._speech = speech
        self._answered = False
        self._early: dict[_Asked, _Early] = {}
        self._filler: _FillerTimer | None = None
        #: Since when the caller waits for look-ups; several in a row are one wait, until something is played.
        self._waiting_since: float | None = None
        self.heard = CallerExperience()

    async def run(self, name: str) -> Decision:
        """Carry the call along the route of this name; give the decision that was handed back.

        Raises `ChannelError` when it could not be handed back. An error of ours is given to `report` and becomes the
        route's default.
        """
        try:
            return await self._carry(name)
        except asyncio.CancelledError:
            if self._channel.lost is None:
                raise
            raise self._channel.lost from None  # the channel cancelled us, because of that
        finally:
            self.heard.ends_silence(self._clock())  # the books are closed, also for a caller who gave up in silence

    async def _carry(self, name: str) -> Decision:
        route = self._open_route(name)
        if route is None:
            decision = Decision(
                name, "", "error", None, trail=(TrailStep("route", f"there is no route '{name}'"),), failed=True
            )
        else:
            try:
                decision = await self._decide(route)
                if self._filler is not None:
                    await self._end_filler()
                decision = self._with_heard(decision)
            finally:
                self._drop_early()
                self._drop_filler()
        await self._channel.hand_back(variables(decision, self._channel.caller.call_id, self._profile))
        return decision

    async def _decide(self, route: Route) -> Decision:
        try:
            caller = await self._begin(route)
            talk = decide(route, caller)
            ask = next(talk)
            while True:
                if isinstance(ask, Open):
                    await self._end_filler()
                    opened = self._open_route(ask.route)
                    route = opened or route
                    answer: Answer = Opened(opened, await self._begin(route))
                else:
                    answer = await self._answer(route, ask)
                ask = talk.send(answer)
        except StopIteration as end:
            return cast(Decision, end.value)
        except CallerHungUp:
            raise
        except Exception as error:
            if self._channel.lost is not None:
                raise
            self._report(error)
            return fall_back(
                route, self._channel.caller, f"{type(error).__name__}: the engine could not follow the route"
            )

    async def _begin(self, route: Route) -> Caller:
        return await self._channel.begin(route.deadline_s, route.language, route.variables)

    def _with_heard(self, decision: Decision) -> Decision:
        """Close the books on what the caller heard, and put it into the trail of a call that waited."""
        heard = self.heard
        heard.ends_silence(self._clock())
        if heard.waited_s < WORTH_SAYING_S:
            return decision
        said = f"waited {heard.waited_s:.2f} s for look-ups; the longest silence was {heard.silence_s:.2f} s"
        return replace(decision, trail=(*decision.trail, TrailStep("caller", said)))

    async def _answer(self, route: Route, ask: Play | Collect | Find | Prefetch | Switch | Observe) -> Answer:
        if isinstance(ask, Find):
            return await self._find(route, ask)
        if isinstance(ask, Prefetch):
            self._begin_early(ask)
            return Typed()
        if self._filler is not None:  # whatever comes now is said to the channel, which has one thing to do at a time
            await self._end_filler()
        if isinstance(ask, Observe):
            return Observed(await self._channel.observe(ask.operands))
        if isinstance(ask, Switch):
            await self._channel.switch(ask.language)
            return Typed()
        if not self._answered:
            await self._make_audible(route)
        self._waiting_since = None
        before = self._clock()
        if isinstance(ask, Play):
            sounds, unsaid = await self._synthesised(ask.sounds)
            self.heard.ends_silence(self._clock())
            typed = await self._channel.play(ask if sounds is ask.sounds else replace(ask, sounds=sounds))
        else:
            sounds, unsaid = await self._synthesised(ask.prompt)
            self.heard.ends_silence(self._clock())
            typed = await self._channel.collect(ask if sounds is ask.prompt else replace(ask, prompt=sounds))
        self.heard.starts_silence(self._clock())
        self.heard.missing += len(typed.missing)
        self.heard.unsaid += len(unsaid)
        return Typed(typed.digits, (*unsaid, *typed.missing), (self._clock() - before) * 1000, typed.unsure)

    async def _synthesised(self, sounds: tuple[Sound, ...]) -> tuple[tuple[Sound, ...], tuple[str, ...]]:
        """Turn texts into sounds; give also those that nobody could say. Without `speech` all stays as it is."""
        if self._speech is None or not any(isinstance(sound, Spoken) and sound.kind == "speech" for sound in sounds):
            return sounds, ()
        texts = sum(isinstance(sound, Spoken) and sound.kind == "speech" for sound in sounds)
        await self._channel.expect(texts * self._speech.patience_s)
        said: list[Sound] = []
        unsaid: list[str] = []
        for sound in sounds:
            if isinstance(sound, Spoken) and sound.kind == "speech":
                name = await self._speech.sound(sound.text, self._channel.caller.language)
                (said if name else unsaid).append(name or str(sound))
            else:
                said.append(sound)
        return tuple(said), tuple(unsaid)

    async def _make_audible(self, route: Route) -> None:
        """Answer the call, once, as the route says: before its first prompt or before what fills a long look-up."""
        if not self._answered:
            self._answered = True
            await self._channel.answer(route.answer)
            if route.answer != "never":
                self.heard.starts_silence(self._clock())

    async def _fill(self, route: Route, filler: Filler | None) -> None:
        """Begin or end what fills a look-up; ringing alone needs no answer. One that fails costs nobody the call."""
        try:
            if filler is not None:
                # Not before: most look-ups are over by now, and it is a round trip between a caller's last digit and
                # his destination. Measured: 7 % of a served call.
                await self._channel.expect(route.deadline_s - self.heard.waited_s)
            if filler is not None and filler.kind in ("music", "sound"):
                await self._make_audible(route)
            heard = await self._channel.fill(filler)
            if filler is not None and filler.kind != "none":
                self.heard.ends_silence(self._clock())
            elif heard and filler is not None and self._waiting_since is not None:
                self.heard.starts_silence(self._waiting_since)  # also where the dialplan has answered, not we
            elif heard:
                self.heard.starts_silence(self._clock())
        except CallerHungUp:
            raise
        except Exception as error:
            if self._channel.lost is not None:
                raise
            self._report(error)

    def _begin_early(self, ask: Prefetch) -> None:
        """Start look-ups that nobody waits for yet; each once."""
        for find in ask.finds:
            if _key(find) not in self._early:
                early = self._lookup.find(replace(find, early=True), LONGEST_EARLY_S)
                self._early[_key(find)] = asyncio.get_running_loop().create_task(early)

    def _drop_early(self) -> None:
        """Cancel what was started and is not needed any more."""
        for asked, task in self._early.items():
            task.cancel()
            self.heard.early.append((asked[0], "wasted"))
        self._early.clear()

    async def _find(self, route: Route, ask: Find) -> Found | SourceDown:
        """Ask the source in what is left of the route's deadline; fill the silence when that takes long."""
        left_s = route.deadline_s - self.heard.waited_s
        early = self._early.pop(_key(ask), None)
        if early is not None:
            self.heard.early.append((ask.source.integration, "used"))
        if early is not None and early.done() and (found := await early) and not _was_held(found):
            return _said_early(found)
        if left_s < LEAST_LOOKUP_S and (early is None or early.done()):
            known = await self._lookup.find(ask, 0)  # an answer that is kept takes no time
            said = f"not asked: the route's {route.deadline_s:g} s for look-ups have passed"
            return replace(known, why=said) if isinstance(known, SourceDown) else known
        before = self._clock()
        try:
            self._begin_filler(route, before)
            return await self._wait(early, ask, left_s)
        except (asyncio.CancelledError, ChannelError):
            self._forget(early)
            raise
        finally:
            self.heard.waited_s += self._clock() - before

    def _begin_filler(self, route: Route, now: float) -> None:
        """Let the route's filler begin in its time, counted from the first look-up of this wait."""
        if self._waiting_since is None:
            self._waiting_since = now
        if self._filler is None:
            waited_s = now - self._waiting_since
            self._filler = _FillerTimer(route.filler, lambda filler: self._fill(route, filler), waited_s)

    async def _end_filler(self) -> None:
        """Stop what fills the wait, before the caller hears something else or is sent on."""
        filler, self._filler = self._filler, None
        if filler is not None:
            await filler.end()

    def _drop_filler(self) -> None:
        if self._filler is not None:
            self._filler.drop()

    async def _wait(self, early: _Early | None, ask: Find, left_s: float) -> Found | SourceDown:
        """Wait for what was begun early, or ask now; also when what was begun early was not allowed to be sent."""
        if early is None:
            return await self._lookup.find(ask, left_s)
        before = self._clock()
        if not early.done():  # it may have come to its end while the channel was told to wait
            await asyncio.wait({early}, timeout=left_s)
        if not early.done():
            early.cancel(TOO_LATE)
            await asyncio.wait({early}, timeout=LAST_WORD_S)
        if not early.done() or early.cancelled():
            return SourceDown(f"{ask.source.integration}: no answer in time", (self._clock() - before) * 1000)
        found = early.result()
        if not _was_held(found):
            return _said_early(found)
        return await self._lookup.find(ask, max(0, left_s - (self._clock() - before)))

    def _forget(self, early: _Early | None) -> None:
        if early is not None:
            early.cancel()


def _key(find: Find) -> _Asked:
    """Return what is asked: another route of the call may have a source of the same name."""
    source = find.source
    return source.integration, source.model, source.field, find.value, source.by_caller


def _was_held(found: Found | SourceDown) -> bool:
    return isinstance(found, SourceDown) and not found.asked


def _said_early(found: Found | SourceDown) -> Found | SourceDown:
    """Say in the trail that it was asked before its turn."""
    if isinstance(found, Found):
        return replace(found, note=", ".join(filter(None, (found.note, "asked ahead"))))
    return replace(found, why=f"{found.why} (asked ahead)")


class _FillerTimer:
    """What the caller hears during a wait: nothing until it has lasted `after_s`. Keys are kept before that.

    `waited_s` of the wait are over already: he was sent on to another route, or asked his telephone system something.
    """

    def __init__(
        self, filler: Filler, fill: Callable[[Filler | None], Coroutine[None, None, None]], waited_s: float = 0.0
    ) -> None:
        self._fill = fill
        self._task: asyncio.Task[None] | None = None
        first = LISTENING if filler.kind != "none" else replace(LISTENING, name="")
        self._steps = [first, filler] if filler.after_s > max(first.after_s, waited_s) else [filler]
        begins_s = max(0.0, self._steps[0].after_s - waited_s)
        self._timer = asyncio.get_running_loop().call_later(begins_s, self._start)

    def _start(self) -> None:
        loop, filler = asyncio.get_running_loop(), self._steps.pop(0)
        if self._steps:  # one timer at a time: most look-ups are over before the first
            self._timer = loop.call_later(self._steps[0].after_s - filler.after_s, self._start)
        self._task = loop.create_task(self._go_on(self._task, filler))

    async def _go_on(self, before: asyncio.Task[None] | None, filler: Filler) -> None:
        if before is not None:
            await before
        await self._fill(filler)

    async def end(self) -> None:
        """Stop at once what was started, if anything was."""
        self._timer.cancel()
        if self._task is not None:
            await self._task
            await self._fill(None)

    def drop(self) -> None:
        """Forget it: the call is over."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
