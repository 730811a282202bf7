"""What is written stays behind the callers' look-ups, and an upload that breaks says nothing of the system."""

from __future__ import annotations

import pytest

from routing_engine.calls.ports import CrmEntry, LogEntry, SoundFile
from routing_engine.errors import ProviderRefused, ProviderSkipped, ProviderThrottled, ProviderUnreachable
from routing_engine.lookup.limited_log import LimitedCallLog
from routing_engine.lookup.limiter import Limiter
from routing_engine.settings.integration import RateLimits

ENTRY = LogEntry("1", "inbound", "Call", "text", 0.0)


class Log:
    """A system that answers, or raises what it is told."""

    log_at = "end"
    takes_recording = "file"
    error: Exception | None = None

    def answer(self) -> None:
        if self.error is not None:
            raise self.error

    async def log(self, entry: LogEntry, again: bool = False) -> CrmEntry:
        self.answer()
        return CrmEntry("again" if again else "new")

    async def update(self, entry: LogEntry, crm_id: str) -> None:
        self.answer()

    async def attach(self, entry: LogEntry, crm_id: str, recording: SoundFile | None) -> None:
        self.answer()

    async def find_user(self, email: str, extension: str) -> str | None:
        return email or extension or None


def limited(**limits: int) -> tuple[LimitedCallLog, Log, Limiter]:
    log, limiter = Log(), Limiter("crm", RateLimits(**limits), lambda: 100.0)  # type: ignore[arg-type]
    return LimitedCallLog(log, limiter), log, limiter  # type: ignore[arg-type]


async def test_what_the_system_answers_comes_back() -> None:
    log, _, _ = limited()
    assert (await log.log(ENTRY), await log.log(ENTRY, again=True)) == (CrmEntry("new"), CrmEntry("again"))
    assert await log.find_user("", "201") == "201"
    assert (log.log_at, log.takes_recording) == ("end", "file")


async def test_half_of_the_places_are_the_callers() -> None:
    log, _, limiter = limited(at_a_time=2)
    await log.log(ENTRY)
    await limiter.enter()
    with pytest.raises(ProviderSkipped):
        await log.log(ENTRY)
    limiter.leave()
    await log.log(ENTRY)


async def test_a_system_that_wants_a_pause_gets_it_from_everybody() -> None:
    log, inner, limiter = limited()
    inner.error = ProviderThrottled("too many", 30)
    with pytest.raises(ProviderThrottled):
        await log.update(ENTRY, "1")
    with pytest.raises(ProviderSkipped):
        await limiter.enter()


@pytest.mark.parametrize("error", [ProviderUnreachable("broke"), ProviderRefused("no")])
async def test_an_upload_that_fails_opens_no_breaker(error: Exception) -> None:
    log, inner, limiter = limited(failures=1)
    inner.error = error
    with pytest.raises(type(error)):
        await log.attach(ENTRY, "1", None)
    assert not limiter.open


async def test_an_entry_that_nobody_answers_does() -> None:
    log, inner, limiter = limited(failures=1)
    inner.error = ProviderUnreachable("down")
    with pytest.raises(ProviderUnreachable):
        await log.log(ENTRY)
    assert limiter.open
