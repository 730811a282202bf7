"""What most tests need, as context managers: an Asterisk with a caller, and desks whose telephones answer."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from rig.asterisk import Asterisk
from rig.sip import Phone


@asynccontextmanager
async def stage(
    dialplan: str,
    *,
    sounds: Path | None = None,
    phones: Iterable[str] = ("1001", "1002", "1003"),
    queues: Mapping[str, Iterable[str]] | None = None,
    extra: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[Asterisk, Phone]]:
    """An Asterisk with this dialplan, and a telephone outside that can call it; the options are `Asterisk`'s."""
    async with (
        Asterisk(dialplan, sounds=sounds, phones=phones, queues=queues, extra=extra) as asterisk,
        Phone.open() as caller,
    ):
        yield asterisk, caller


@asynccontextmanager
async def desk(asterisk: Asterisk, *numbers: str) -> AsyncIterator[Phone]:
    """A telephone that is registered for these numbers and picks up; see `Phone.answer_with` for other manners."""
    async with Phone.open() as phone:
        for number in numbers:
            await phone.register(asterisk.sip_address, number)
        yield phone
