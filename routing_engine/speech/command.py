"""The port `Speech` over a command: each text is spoken once, by a program, and kept."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from routing_engine.core.events import Publish, TextSpoken
from routing_engine.core.ports import Clock, Speech
from routing_engine.core.prompts import LANGUAGE
from routing_engine.errors import SpeechError, traceback_frames
from routing_engine.logger import Logger
from routing_engine.settings.speech import SpeechSettings
from routing_engine.speech.cache import SoundCache
from routing_engine.speech.program import ProgramResult, run
from routing_engine.speech.template import fill, masked, speakable, uses
from routing_engine.speech.wav import settle, sox
from routing_engine.storage.single_flight import SingleFlight

_log = Logger()

#: The text goes to standard input, where espeak-ng knows no options. `-m` would switch markup on: it is not there.
DEFAULT = ("espeak-ng", "-b", "1", "-z", "-s", "150", "-v", "{voice}", "--stdin", "-w", "{file}")
#: A caller waits for `timeout_s`; the synthesis goes on for the next caller, but not longer than this.
LONGEST_S = 30.0
#: What `check` has spoken: no voice stumbles over it.
_TRIAL = "1"
_MOST_DOWN = 50


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A text to be spoken, and `key`, the name of its file. `text` is clean, "" when there is nothing to say."""

    text: str
    language: str
    voice: str
    key: str


class CommandSpeech:
    """Keeps the port `Speech` by a program; `close` it after the last call.

    `find` returns a program's path, None when it is not there. `longest_s` bounds a synthesis that nobody waits for.
    """

    def __init__(
        self,
        settings: SpeechSettings,
        find: Callable[[str], str | None] = shutil.which,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._settings = settings
        self._find = find
        self._longest_s = longest_s
        self._command = settings.command or DEFAULT
        self._cache = SoundCache(settings.folder, settings.cache_mb * 1_000_000)
        # Two at least: one that hangs, or one that is made ahead, does not keep a caller waiting.
        self._turns = asyncio.Semaphore(max(2, os.cpu_count() or 2))
        self._making = SingleFlight[bool](goes_on=False)
        self._ahead: asyncio.Task[None] | None = None
        self._down: set[str] = set()  # the voices that failed the last time

    @property
    def patience_s(self) -> float:
        """How long one text may take at most."""
        return self._settings.timeout_s

    async def sound(self, text: str, language: str) -> str | None:
        """Return the name of a sound that says the text, within `timeout_s`; None when there is none. Never raises."""
        try:
            request = self._request(text, language)
            there = request.text and (
                self._cache.touch(request.key) or await self._made(request, self._settings.timeout_s)
            )
            return self._settings.name(request.key) if there else None
        except Exception as error:
            self._report(error)
            return None

    def prepare(self, texts: Iterable[tuple[str, str]]) -> None:
        """Speak fixed texts, each with its language, in the background; they stay until others are prepared."""
        requests = [one for one in (self._request(text, language) for text, language in texts) if one.text]
        self._cache.spared = frozenset(one.key for one in requests)
        if self._ahead is not None:
            self._ahead.cancel()
        self._ahead = asyncio.get_running_loop().create_task(self._speak_ahead(requests))

    async def prepared(self) -> None:
        """Wait until nothing is prepared any more."""
        if self._ahead is not None:
            await asyncio.wait({self._ahead})

    def problem(self) -> str | None:
        """Return a sentence why nothing can be spoken, as far as that is seen without speaking; None when it can."""
        program = self._command[0]
        missing = [name for name in (program, "sox") if self._find(name) is None]
        if not self._settings.command and missing:
            return f"no text can be spoken: {' and '.join(missing)} not found; on Debian: apt-get install espeak-ng sox"
        if program in missing:
            return f"no text can be spoken: the program '{program}' of speech.command is not found"
        if not _is_writable(self._settings.folder):
            remedy = "make it for the engine and Asterisk (docs/how-to/speak-values.md), or name another speech.folder"
            return f"no text can be spoken: {self._settings.folder} cannot be written; {remedy}"
        return None

    async def check(self, languages: Iterable[str]) -> list[str]:
        """Speak in these languages, anew; return a sentence for each that cannot be spoken.

        A cloud may charge for it.
        """
        found = self.problem()
        if found is not None:
            return [found]
        answers = [await self._try(self._request(_TRIAL, language)) for language in sorted(set(languages))]
        return [answer for answer in answers if answer is not None]

    async def close(self) -> None:
        """End what is under way."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
        await self._making.close()

    # ------------------------------------------------------------------------------------- inside

    def _request(self, text: str, language: str) -> SpeechRequest:
        language = language if LANGUAGE.match(language) else "en"  # it comes from the call, and goes to a program
        spoken, voice = speakable(text), self._settings.voice(language)
        # All that changes the sound: another command or voice speaks anew, and old sounds go with time.
        parts = "\0".join((*self._command, "", voice, language, spoken))
        return SpeechRequest(spoken, language, voice, hashlib.sha256(parts.encode()).hexdigest()[:40])

    async def _made(self, request: SpeechRequest, limit_s: float | None) -> bool:
        """Wait for a text that is made, by whoever asked first.

        When the last of those who wait leaves before its turn has come, it is not made at all.
        """
        done = await self._making.join(lambda: self._make(request), request.key, limit_s)
        if done is None:
            self._is_down(request.voice, f"it took longer than {limit_s:g} s")
        return done is not None and not done.cancelled() and done.result()

    async def _make(self, request: SpeechRequest) -> bool:
        loop = asyncio.get_running_loop()
        async with self._turns:
            self._making.let_go_on(request.key)  # it costs as much now as it will for the next caller
            began = loop.time()
            why = await self._failure(request)
            took_s = loop.time() - began
        if why is not None:
            self._is_down(request.voice, why)
        elif took_s <= self._settings.timeout_s:
            self._is_up(request.voice)
        return why is None

    async def _failure(self, request: SpeechRequest) -> str | None:
        """Speak a text; return why that failed, None when it is there."""
        try:
            async with asyncio.timeout(self._longest_s):
                await self._speak(request)
        except TimeoutError:
            return f"it took longer than {self._longest_s:g} s and was ended"
        except SpeechError as error:
            return str(error)
        except OSError as error:
            return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
        except Exception as error:
            self._report(error)
            return "an unexpected error in the engine"
        return None

    async def _speak(self, request: SpeechRequest) -> None:
        """Run the synthesiser, bring what it wrote into Asterisk's form, keep it. Raises `SpeechError` or `OSError`."""
        work = await asyncio.to_thread(self._cache.open_work, request.text)
        try:
            spoken, made = work / "spoken.wav", work / "made.wav"
            await self._run_synthesiser(request, work / "text", spoken)
            if not await asyncio.to_thread(settle, spoken, made):
                converted = work / "converted.wav"
                await self._convert(request, spoken, converted)
                if not await asyncio.to_thread(settle, converted, made):
                    raise SpeechError("sox did not make a WAV file of 8 kHz, mono, 16 bit")
            await asyncio.to_thread(self._cache.keep, request.key, made)
        finally:
            shutil.rmtree(work, ignore_errors=True)  # a few small files; must happen, so nothing is awaited here

    async def _run_synthesiser(self, request: SpeechRequest, text_file: Path, spoken: Path) -> None:
        values = {"text": request.text, "text_file": str(text_file), "file": str(spoken)}
        if self._find(self._command[0]) is None:
            raise SpeechError(f"the program '{self._command[0]}' is not found")
        words = fill(self._command, {**values, "language": request.language, "voice": request.voice})
        reads = not uses(self._command, "text", "text_json", "text_file")
        writes = not uses(self._command, "file")
        ended = await run(words, f"{request.text}\n".encode() if reads else None, writes, self._settings.env)
        _check(words[0], ended, request.text)
        if writes:
            await asyncio.to_thread(spoken.write_bytes, ended.out)

    async def _convert(self, request: SpeechRequest, spoken: Path, converted: Path) -> None:
        if self._find("sox") is None:
            raise SpeechError("its sound is not 8 kHz, mono, 16 bit, and sox is not there to convert it (Debian: sox)")
        _check("sox", await run(sox(spoken, converted), None, False), request.text)

    async def _try(self, request: SpeechRequest) -> str | None:
        why = await self._failure(request)
        return None if why is None else f"no text can be spoken in '{request.language}' (voice {request.voice}): {why}"

    async def _speak_ahead(self, every: Iterable[SpeechRequest]) -> None:
        """Speak one after the other, so that callers find a turn; a voice that fails is left until it is needed."""
        failed: set[str] = set()
        for request in every:
            there = self._cache.touch(request.key)
            if not there and request.voice not in failed and not await self._made(request, None):
                failed.add(request.voice)

    def _report(self, error: Exception) -> None:
        """A fault of ours. Its traceback is logged without the error's text, which may hold what was to be said."""
        _log.error("speech.failed", error=type(error).__name__, traceback=traceback_frames(error))

    def _is_down(self, voice: str, why: str) -> None:
        # A stranger may name languages without end: each would stay here, and be a line of the log.
        if voice not in self._down and len(self._down) < _MOST_DOWN:
            self._down.add(voice)
            _log.warning("speech.down", voice=voice, why=why)

    def _is_up(self, voice: str) -> None:
        if voice in self._down:
            self._down.discard(voice)
            _log.info("speech.up", voice=voice)


def _check(program: str, ended: ProgramResult, text: str) -> None:
    if ended.status:
        how = f"ended with status {ended.status}" if ended.status > 0 else f"was ended by signal {-ended.status}"
        said = masked(ended.err, text)
        raise SpeechError(f"{program} {how}{': ' if said else ''}{said}")


def _is_writable(folder: Path) -> bool:
    """Return whether we may write to a folder, or make it."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


class ObservedSpeech:
    """Keeps the port `Speech` over another that does the work, and publishes what came of each text."""

    def __init__(self, speech: Speech, publish: Publish, clock: Clock = time.monotonic) -> None:
        self._speech, self._publish, self._clock = speech, publish, clock

    @property
    def patience_s(self) -> float:
        """The other's."""
        return self._speech.patience_s

    async def sound(self, text: str, language: str) -> str | None:
        """Return what the other returns."""
        began = self._clock()
        name = await self._speech.sound(text, language)
        self._publish(TextSpoken(name is not None, self._clock() - began))
        return name
