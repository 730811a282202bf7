"""The conversation with one call over FastAGI: what the core asks, in Asterisk's commands."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol
from urllib.parse import unquote

from routing_engine.channels.agi.filler import AgiFiller
from routing_engine.channels.agi.live_state import (
    ATTESTATION,
    ATTESTATIONS,
    EXTENSION_STATE,
    attested,
    expression,
    meaning,
)
from routing_engine.channels.agi.say import SAMPLES, family, saying, voices
from routing_engine.channels.agi.watchdog import MEASURE, SoundLengths, Watchdog, longest_saying, longest_typing
from routing_engine.channels.agi.wire import ArrivingCall, Reply, command, key_of, set_variables
from routing_engine.core.asks import Collect, Play, Typed
from routing_engine.core.check_digits import KEYS, why_invalid
from routing_engine.core.model import Caller, Filler, Input, Operand, Sound, Spoken, Value
from routing_engine.errors import CallerHungUp, ChannelBroken

#: The dialplan's limit for an engine that accepts a call and stays silent.
WATCHDOG = "TIMEOUT(absolute)"
LANGUAGE = "CHANNEL(language)"
#: Where a sound is begun that is only to be found, not heard: behind the end of any.
_BEHIND_THE_END = "999999999"
#: An Asterisk has a few languages, and each a few samples.
_MOST_VOICES = 200


class AgiSession(Protocol):
    """The connection of one call, as the conversation needs it."""

    lost: CallerHungUp | ChannelBroken | None

    @property
    def reply_timeout_s(self) -> float:
        """How long Asterisk may take beyond what the route needs."""

    def send(self, line: bytes) -> None:
        """Send one command line."""

    async def reply(self) -> Reply:
        """Return the next reply."""

    async def ask(self, line: bytes) -> Reply:
        """Send one command and wait for its reply."""

    async def burst(self, lines: bytes, count: int) -> Sequence[Reply]:
        """Send the last commands, so many, at once; give the replies that came."""

    def hurry(self) -> None:
        """Let two replies to come arrive one behind the other at once."""

    def give_up_after(self, seconds: float) -> None:
        """Set the time limit anew."""


@dataclass(frozen=True)
class SharedFacts:
    """What the calls of one Asterisk share: settings, and what one call found out so that the next need not ask.

    `fallback_language` has the sounds that another language lacks; `extension_state` is the dialplan function that
    tells a `{target}`'s state. `kept_presentation` is the channel variable that keeps how callers want to be shown
    where the dialplan changes the channel's own, "" for none. `voices` holds, by sample and language, the language
    that has its sounds; `absent` the functions that are not loaded there, `lengths` how long
    sounds last.
    """

    fallback_language: str = "en"
    extension_state: str = EXTENSION_STATE
    kept_presentation: str = ""
    voices: dict[tuple[str, str], str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    lengths: SoundLengths = field(default_factory=lambda: SoundLengths(time.monotonic))


class AgiChannel:
    """One call over FastAGI. Keeps the port `core.ports.Channel`."""

    __slots__ = (
        "_audible",
        "_filling",
        "_language",
        "_presentation_read",
        "_pressed",
        "_session",
        "_site",
        "_state_known",
        "_stray",
        "_watchdog",
        "caller",
        "route",
    )

    def __init__(self, session: AgiSession, arrival: ArrivingCall, site: SharedFacts) -> None:
        self._session = session
        self._site = site
        self.route = arrival.route
        self.caller: Caller = arrival.caller
        self._language = arrival.language
        self._filling: AgiFiller | None = None
        self._audible = False
        self._watchdog = Watchdog(time.monotonic)
        self._presentation_read = self._state_known = False
        self._stray = self._pressed = ""

    @property
    def lost(self) -> CallerHungUp | ChannelBroken | None:
        """Why the conversation is over before its end; None while it goes on."""
        return self._session.lost

    async def begin(self, longest_s: float, language: str, variables: Sequence[str]) -> Caller:
        """Set the language, read channel variables. The dialplan's watchdog holds until the first step that lasts."""
        self._session.give_up_after(longest_s + self._session.reply_timeout_s)
        if self._site.kept_presentation and not self.caller.hidden and not self._presentation_read:
            await self._heed_kept_presentation()
        language = self._language or language
        if language and language != self.caller.language:
            await self._command("SET VARIABLE", LANGUAGE, language)
        found = {name: await self._variable(name) for name in variables}
        if language or found:
            self.caller = replace(self.caller, language=language or self.caller.language, variables=found)
        return self.caller

    async def expect(self, longest_s: float) -> None:
        """Move the dialplan's watchdog where its limit does not fit a step that can last so long."""
        limit_s = self._watchdog.moved(longest_s)
        if limit_s is not None:
            # Two watchdogs: the dialplan's ends a call that we forgot, ours a connection that Asterisk forgot.
            self._session.give_up_after(longest_s + self._session.reply_timeout_s)
            await self._command("SET VARIABLE", WATCHDOG, f"{limit_s:g}")

    async def _heed_kept_presentation(self) -> None:
        """Drop a number that its owner withholds, though the dialplan has let the channel show it."""
        self._presentation_read = True
        kept = await self._variable(self._site.kept_presentation)
        if kept.startswith(("prohib", "unavailable")):
            self.caller = replace(self.caller, number=None, name="", hidden=True)

    async def answer(self, how: Literal["before_prompts", "early_media", "never"]) -> None:
        """Make prompts audible. ANSWER on a call that is up changes nothing."""
        self._audible, self._state_known = how != "never", True
        if how == "before_prompts":
            await self._command("ANSWER")
        elif how == "early_media":
            await self._command("EXEC", "Progress", "")

    async def play(self, ask: Play) -> Typed:
        """Play sounds; with `barge_in` any key ends them. The `#` that ends a prompt is no digit."""
        if ask.barge_in and (digits := self._pressed.replace("#", "")):
            self._pressed = ""
            return Typed(digits)
        keys = KEYS if ask.barge_in else ""
        missing: tuple[str, ...] = ()
        key = await self._expect_sounds(ask.sounds, keys)
        if not key:
            key, missing = await self._stream(ask.sounds, keys)
        return Typed("" if key == "#" else key, missing)

    async def collect(self, ask: Collect) -> Typed:
        """Read digits. The first key has its own timeout, so it is asked for alone; then Asterisk gathers the rest.

        Asterisk loses keys that are pressed while no command runs: the fewer commands, the fewer such moments.
        """
        one, digits = ask.input, ask.typed
        missing: tuple[str, ...] = ()
        stray, self._stray = self._stray, ""
        if self._pressed and not digits:
            digits, ended = self._typed_ahead(one)
            if ended:
                return Typed(digits)
        key = await self._expect_sounds(() if digits else ask.prompt, KEYS, longest_typing(ask))
        if not digits:
            digits, missing = (key, ()) if key else await self._first_key(ask)
            if digits and digits == stray:  # of the input before, which did not wait for it: it has cut this prompt
                digits, missing = await self._first_key(ask)
            if digits == one.terminator:
                return Typed("", missing)
        while digits and len(digits) < one.max and not (one.accept_early and not why_invalid(one, digits)):
            want = _how_many(one, len(digits))
            more, ended = await self._get_data("", one.inter_digit_timeout_s, want)
            # GET DATA ends at # whatever the input's terminator is, and does not say so in its digits.
            if not ended and len(more) < want and one.terminator != "#":
                more = "#"
            if more == one.terminator:
                return Typed(digits, missing)
            digits += more
            if ended or len(more) < want:
                return Typed(digits, missing)
        self._stray = one.terminator if digits else ""
        return Typed(digits[: one.max], missing)

    def _typed_ahead(self, one: Input) -> tuple[str, bool]:
        """Return the digits pressed before their prompt, during a look-up, and whether they are all of this input.

        The terminator before them belongs to the input before; what is too much, to the one behind.
        """
        pressed = self._pressed.lstrip(one.terminator)
        digits = (pressed.partition(one.terminator)[0] if one.terminator else pressed)[: one.max]
        self._pressed = pressed[len(digits) :].removeprefix(one.terminator)
        return digits, len(digits) == one.max or len(pressed) > len(digits)

    async def switch(self, language: str) -> None:
        """Set the channel's language."""
        await self._command("SET VARIABLE", LANGUAGE, language)
        self.caller = replace(self.caller, language=language)

    async def observe(self, lefts: Sequence[Operand]) -> Mapping[Operand, Value]:
        """Tell what live left sides are now, each with a question of its own."""
        values = {left: await self._look(left) for left in lefts}
        return {left: value for left, value in values.items() if value is not None}

    async def _look(self, left: Operand) -> Value:
        if (left.scope, left.name) == ("call", "attestation"):
            return await self._attestation()
        asked = expression(left, self.caller, self._site.extension_state)
        return meaning(left, await self._evaluate(asked), self.caller.at.tzinfo) if asked else None

    async def _attestation(self) -> Value:
        """Tell STIR/SHAKEN's verdict. How many signatures there are is asked first: 0 is no error, "" is no module."""
        if ATTESTATIONS in self._site.absent:
            return None
        count = await self._evaluate(f"${{{ATTESTATIONS}}}")
        if not count:
            self._site.absent.add(ATTESTATIONS)
            return None
        return "none" if count == "0" else attested(await self._evaluate(ATTESTATION))

    async def fill(self, filler: Filler | None) -> bool:
        """Start or end what the caller hears during a look-up. A call that nobody has answered just rings."""
        if self._filling is not None:
            ending, self._filling = self._filling, None
            self._pressed += await ending.end()
        if filler is not None:
            audible = await self._is_heard()
            filler = filler if audible or filler.kind == "none" else replace(filler, kind="ringing")
            self._filling = AgiFiller(self._session, self._command, filler, self._names(filler.name), audible)
            await self._filling.begin()
        return self._audible

    async def _is_heard(self) -> bool:
        """Return whether the call is up. The dialplan may have answered it: asked once, and only when we wait."""
        if not self._audible and not self._state_known:
            self._state_known = True
            self._audible = await self._evaluate("${CHANNEL(state)}") == "Up"
        return self._audible

    async def hand_back(self, variables: Sequence[tuple[str, str]]) -> None:
        """Set all variables in one burst, close our half, and see that every one was taken.

        The watchdog's limit goes first: a dialplan that does not clear it itself would cut a long conversation.
        """
        variables = [(WATCHDOG, "0"), *variables]
        # All at once: behind the last of them the dialplan goes on, so nobody waits for a reply in between.
        replies = await self._session.burst(set_variables(variables), len(variables))
        refused = [name for (name, _), reply in zip(variables, replies, strict=False) if reply.code != 200]
        if refused or len(replies) < len(variables):
            raise ChannelBroken(f"{len(variables) - len(replies)} variables were not answered, refused: {refused}")

    async def _first_key(self, ask: Collect) -> tuple[str, tuple[str, ...]]:
        """Play the prompt and wait for one key; "" is silence. The last sound and the wait are one command."""
        last = ask.prompt[-1] if ask.prompt else ""
        before = ask.prompt[:-1] if isinstance(last, str) else ask.prompt
        last = last if isinstance(last, str) else ""
        key, missing = await self._stream(before, KEYS)
        if key:
            return key, missing
        # Sound and wait in one command: a key that is pressed between two would be lost.
        for sound in (*self._names(last), "") if last else ("",):
            digits, ended = await self._get_data(sound, ask.input.first_digit_timeout_s, 1)
            if digits != "-1":
                break
        if last and not sound:
            missing = (*missing, last)
        return digits or ("" if ended else "#"), missing

    async def _get_data(self, sound: str, timeout_s: float, most: int) -> tuple[str, bool]:
        """Return the digits and whether time ended them; `#` ends them too, "-1" is a missing sound or a hang-up."""
        reply = await self._command("GET DATA", sound, str(max(1, round(timeout_s * 1000))), str(most))
        if reply.result == "-1" and not sound:
            raise CallerHungUp("GET DATA ended with -1")
        return reply.result, reply.rest == "(timeout)"

    async def _expect_sounds(self, sounds: Sequence[Sound], keys: str, longest_s: float = 0) -> str:
        """Move the watchdog for sounds, and for what takes `longest_s` behind them; give a key that was pressed."""
        for sound in sounds:
            seconds, key = (longest_saying(sound), "") if isinstance(sound, Spoken) else await self._length(sound, keys)
            if key:
                return key
            longest_s += seconds
        await self.expect(longest_s)
        return ""

    async def _length(self, sound: str, keys: str) -> tuple[float, str]:
        """Return how long a sound lasts, 0 for one that is missing; give also a key that was pressed meanwhile."""
        known = self._site.lengths.get(self.caller.language, sound)
        if known is not None:
            return known, ""
        for name in self._names(sound):
            reply = await self._command("STREAM FILE", name, keys, MEASURE)
            if reply.result != "-1":
                return self._site.lengths.learn(self.caller.language, sound, reply), key_of(reply.result)
        return 0.0, ""

    async def _stream(self, sounds: Sequence[Sound], keys: str) -> tuple[str, tuple[str, ...]]:
        """Play sounds until one of `keys`; give the key and what could not be played."""
        missing: list[str] = []
        for sound in sounds:
            key, found = await (self._play(sound, keys) if isinstance(sound, str) else self._say(sound, keys))
            if not found:
                missing.append(str(sound))
            if key:
                return key, tuple(missing)
        return "", tuple(missing)

    async def _play(self, sound: str, keys: str) -> tuple[str, bool]:
        """Play one sound; give the key that ended it, and whether there is such a sound."""
        for name in self._names(sound):
            reply = await self._command("STREAM FILE", name, keys)
            if reply.result != "-1":
                return key_of(reply.result), True
            if reply.rest not in ("", "endpos=0"):
                raise CallerHungUp("STREAM FILE broke off")  # with AGISIGHUP=no nothing else tells
        return "", False

    def _names(self, sound: str) -> tuple[str, ...]:
        """Return the names to try in turn: Asterisk looks in the channel's language, in English, then in none."""
        fallback = self._site.fallback_language
        if not fallback or sound.startswith("/") or fallback in family(self.caller.language):
            return (sound,)
        return sound, f"{fallback}/{sound}"

    async def _say(self, spoken: Spoken, keys: str) -> tuple[str, bool]:
        """Let Asterisk say a value; give the key that ended it, and whether it was said.

        SAY answers a sound that is missing with 0 or with -1, as a hang-up: the next command tells which it was.
        """
        if spoken.kind not in SAMPLES:
            return "", False
        language, key = await self._voice(SAMPLES[spoken.kind], keys)
        if not language or key:
            return key, bool(key)
        try:
            verb, *words = saying(spoken, keys, language, self.caller.at.tzinfo)
        except ValueError:
            return "", False
        if language != self.caller.language:
            await self._command("SET VARIABLE", LANGUAGE, language)
        reply = await self._command(verb, *words)
        if language != self.caller.language:
            await self._command("SET VARIABLE", LANGUAGE, self.caller.language)
        return key_of(reply.result), reply.result != "-1"

    async def _voice(self, sample: str, keys: str) -> tuple[str, str]:
        """Find the language to say something in, "" when there is none; give also a key that was pressed meanwhile."""
        own = self.caller.language
        known = self._site.voices.get((sample, own))
        if known is not None:
            return known, ""
        for language in (*voices(own, self._site.fallback_language), ""):
            name = f"{language}/{sample}" if language else sample
            reply = await self._command("STREAM FILE", name, keys, _BEHIND_THE_END)
            if reply.result != "-1":
                found = own if language in ("", *family(own)) else language
                if len(self._site.voices) >= _MOST_VOICES:
                    self._site.voices.clear()  # whoever reaches the port names languages: they are found out anew
                self._site.voices[sample, own] = found
                return found, key_of(reply.result)
        return "", ""

    async def _variable(self, name: str) -> str:
        """Read a channel variable."""
        return await self._evaluate(f"${{{name}}}")

    async def _evaluate(self, text: str) -> str:
        """Let the dialplan evaluate a text; percent-encoded, so that the reply is one line whatever comes out."""
        reply = await self._command("GET FULL VARIABLE", f"${{URIENCODE({text})}}")
        return unquote(reply.value)

    async def _command(self, verb: str, *values: str) -> Reply:
        """Send a command and give its reply. 510, 511 and 520 end the call's work in an error of their own."""
        reply = await self._session.ask(command(verb, *values))
        if reply.code == 511:
            raise CallerHungUp(f"{verb} on a dead channel")
        if reply.code != 200:
            raise ChannelBroken(f"{verb} was answered {reply.code} {reply.rest}"[:200])
        return reply


def _how_many(one: Input, typed: int) -> int:
    """Return how many digits to ask for at once: Asterisk ends them at `#` alone, and every end is to be seen."""
    if one.terminator != "#":
        return 1
    return max(1, one.min - typed) if one.accept_early else one.max - typed
