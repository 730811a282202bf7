"""Keeping an index up to date: what is pulled when, what is said about it, and that one process does it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from routing_engine.core.ports import Clock
from routing_engine.errors import ProviderError, traceback_frames
from routing_engine.logger import Logger
from routing_engine.mirror import index, index_writer
from routing_engine.mirror.index import IndexState, PullState, SearchColumn
from routing_engine.mirror.puller import Puller, PullResult, Sleep, SuspiciousPull
from routing_engine.mirror.schedule import Kind, PullSchedule, pause_s
from routing_engine.storage.files import locked, make_folder
from routing_engine.storage.sqlite import DbThread

_log = Logger()
#: How often the loop looks whether something is due, or another process has pulled.
LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model as it is now: `unusable` and `failing` are sentences, "" for none; moments in seconds since 1970."""

    held: IndexState | None
    pulling: PullState
    unusable: str
    failing: str
    next_kind: Kind
    next_at: float


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why the last pull of a model failed, how many did in a row, and the moment before which none is tried."""

    why: str
    failures: int
    not_before: float


class Scheduler:
    """Pulls the models of one integration into the file at `path`. `columns` are what each is searched by.

    `now` is seconds since 1970; `db` is the thread that writes, which look-ups share with the pulls for new columns.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        schedules: Mapping[str, PullSchedule],
        columns: Mapping[str, Iterable[SearchColumn]],
        db: DbThread,
        puller: Puller,
        now: Clock,
        sleep: Sleep,
    ) -> None:
        self._name, self._path, self._schedules, self._columns = name, path, schedules, columns
        self._db, self._puller, self._now, self._sleep = db, puller, now, sleep
        # A connection of its own: to look never waits for a pull that is being written.
        self._looking = DbThread(path, index.open_index)
        self._troubles: dict[str, _Trouble] = {}
        self.states: dict[str, ModelState] = {}

    async def run(self) -> None:
        """Pull on schedule, for ever; whatever goes wrong in one round, the next one comes."""
        while True:
            try:
                await self.pull_due()
            except Exception as error:
                self._broken(error)
            await self._sleep(LOOK_S)

    async def close(self) -> None:
        """Close what is open."""
        await self._looking.close()

    async def pull_due(self) -> None:
        """Pull every model whose time has come, unless another process is at it; look how all of them are."""
        await self.look()
        for model in self._schedules:
            if self.states[model].next_at <= self._now():
                await self._pull_and_log(model)
        await self.look()

    async def look(self) -> None:
        """Read how every model is, as other processes see it too."""
        for model in self._schedules:
            held, pulling = None, PullState()
            try:
                if await asyncio.to_thread(self._path.exists):  # to look must not make a file, perhaps of another user
                    held = await self._looking.do(index.index_state, model)
                    pulling = await self._looking.do(index.pull_state, model)
            except (sqlite3.Error, OSError) as error:
                pulling = PullState(why=f"{self._name}: {disk_fault(error)}")
            self.states[model] = self._state(model, held, pulling)

    async def pull(self, model: str, kind: Kind | None = None, accept: bool = False) -> PullResult | None:
        """Pull a model now; None when another process is pulling from this system. Without `kind` what is next.

        Raises a `ProviderError`, `sqlite3.Error` or `OSError`; the last good records stay in force.
        """
        make_folder(self._path.parent)
        # One pull at a time, also where two engines share a folder.
        with locked(self._path.with_suffix(".lock"), wait=False) as ours:
            if not ours:
                return None
            try:
                return await self._pull(model, kind, accept)
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:  # anything more exact is no broken file
                    raise
                await self._looking.drop()
                await self._db.renew()
                _log.warning("mirror.renewed", integration=self._name, path=str(self._path))
                return await self._pull(model, "full", accept)

    def why_failing(self, model: str) -> str:
        """Say why the last pull of a model failed; "" when it did not."""
        trouble = self._troubles.get(model)
        return trouble.why if trouble else ""

    # ------------------------------------------------------------------------------------- inside

    async def _pull(self, model: str, kind: Kind | None, accept: bool) -> PullResult:
        schedule, held = self._schedules[model], await self._db.do(index.index_state, model)
        kind = kind or schedule.next(held, self._now())[0]
        await self._db.do(index_writer.write_pull_state, model, PullState(kind))
        try:
            if held is not None and kind == "changes" and schedule.listing == "changes" and schedule.fits(held):
                pulled = await self._puller.changes(model, schedule, held)
            else:
                pulled = await self._puller.full(model, schedule, frozenset(self._columns[model]), accept)
        except BaseException as error:
            # Also when the engine stops in the middle: the state must not say for ever that a pull is under way.
            await asyncio.shield(self._clean_up(model, error))
            raise
        await self._db.do(index_writer.write_pull_state, model, PullState())
        return pulled

    async def _clean_up(self, model: str, error: BaseException) -> None:
        """Write down that a pull has failed, and remove what it has brought so far; at a stop the next one does."""
        why = str(error) if isinstance(error, ProviderError) else "the last pull was interrupted"
        with contextlib.suppress(sqlite3.Error, OSError):
            await self._db.do(index_writer.write_pull_state, model, PullState(why=why))
            if isinstance(error, Exception):
                await self._db.do(index_writer.sweep, model)

    async def _pull_and_log(self, model: str) -> None:
        began = self._now()
        try:
            pulled = await self.pull(model)
        except ProviderError as error:
            self._failed(model, str(error), error)
        except (sqlite3.Error, OSError) as error:
            self._failed(model, f"{self._name}: {disk_fault(error)}", error)
        except Exception as error:
            self._broken(error)
            self._failed(model, f"{self._name}: an unexpected error in the engine", error)
        else:
            if pulled is not None:
                self._succeeded(pulled, (self._now() - began) * 1000)

    def _succeeded(self, pulled: PullResult, took_ms: float) -> None:
        if self._troubles.pop(pulled.model, None) is not None:
            _log.info("mirror.back", integration=self._name, model=pulled.model)
        # Changes come every few minutes: a pull that brought nothing is not worth a line.
        log = _log.info if pulled.kind == "full" or pulled.came or pulled.gone else _log.debug
        log(
            "mirror.pulled",
            integration=self._name,
            model=pulled.model,
            kind=pulled.kind,
            records=pulled.records,
            came=pulled.came,
            gone=pulled.gone,
            took_ms=round(took_ms, 1),
        )

    def _failed(self, model: str, why: str, error: Exception) -> None:
        before = self._troubles.get(model)
        failures = before.failures + 1 if before else 1
        wait_s = max(pause_s(failures, isinstance(error, SuspiciousPull)), getattr(error, "retry_after_s", 0.0))
        self._troubles[model] = _Trouble(why, failures, self._now() + wait_s)
        if before is None:  # once; `mirror.back` says when it is over
            held = self.states[model].held if model in self.states else None
            kept = held.records if held is not None else 0
            _log.warning("mirror.failing", integration=self._name, model=model, why=why, kept=kept)

    def _broken(self, error: Exception) -> None:
        _log.error(
            "mirror.broken", integration=self._name, error=type(error).__name__, traceback=traceback_frames(error)
        )

    def _state(self, model: str, held: IndexState | None, pulling: PullState) -> ModelState:
        now, schedule, trouble = self._now(), self._schedules[model], self._troubles.get(model)
        kind, at = schedule.next(held, now)
        at = max(at, trouble.not_before) if trouble else at
        return ModelState(
            held, pulling, schedule.why_unusable(held, now), trouble.why if trouble else pulling.why, kind, at
        )


def disk_fault(error: Exception) -> str:
    """Say that the file cannot be used."""
    return f"its mirror on the disk cannot be used: {str(error)[:120]}"
