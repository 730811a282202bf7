"""A firm to record: an Asterisk, its provider outside, and the telephones of Anna, Bernd and Clara."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, cycle

from rig.asterisk import Asterisk
from rig.process import HERE
from rig.sip import Call, Phone
from rig.tape import Tape
from routing_engine.pbx.ami_events import STATUS_VARIABLES

ROOT = HERE.parent
STREAMS = ROOT / "tests" / "calls" / "streams"
PHONES = ("201", "202", "203")
FIRM = "+4312345600"
MARIA, OTTO, MOBILE = "+436641112223", "+436765556667", "+436601234567"
TALK_S = 0.6
PACKETS_A_SECOND = 50

FILES = {
    # The start of the mailbox stands in no other event.
    "cel.conf": "[general]\nenable=yes\napps=voicemail\nevents=APP_START\n[manager]\nenabled=yes\n",
    "features.conf": "[general]\npickupexten=*8\ntransferdialattempts=1\n[featuremap]\natxfer=*2\n",
    "res_parking.conf": (
        "[general]\n"
        "[default]\nparkext=>700\nparkpos=>701-720\ncontext=>parkedcalls\nparkingtime=>30\n"
        "[short]\nparkext=>750\nparkext_exclusive=>yes\nparkpos=>751-760\ncontext=>parkedshort\nparkingtime=>2\n"
    ),
    "confbridge.conf": "[general]\n[default_user]\ntype=user\nquiet=yes\n[default_bridge]\ntype=bridge\n",
}


class Office:
    """Who can call and be called, and the tape that hears it."""

    def __init__(self, asterisk: Asterisk, provider: Phone, phones: dict[str, Phone]) -> None:
        self.asterisk, self.provider, self.phones = asterisk, provider, phones
        self.version = ""
        self.tape: Tape
        self._clicks = count(time.time_ns())
        self._tones = cycle(range(700, 3500, 200))
        self._epoch = time.time() - asyncio.get_running_loop().time()

    def at(self, moment: float | None) -> float | None:
        """Return a moment of a telephone as seconds since 1970."""
        return None if moment is None else round(self._epoch + moment, 3)

    def begin_tape(self, classes: str) -> None:
        """Put in a new tape."""
        self.tape = Tape(self.asterisk.manager_address, self.asterisk.secret, classes)

    @property
    def now(self) -> float:
        """The telephones' clock."""
        return asyncio.get_running_loop().time()

    def channel_of(self, start: str) -> str:
        """Return the name of a living channel that begins so."""
        began = self.tape.events("Newchannel")
        return next(one["Channel"] for one in began if one["Channel"].startswith(start))

    def click_id(self) -> str:
        """Return an id for a channel that nobody has had."""
        return f"click-{next(self._clicks)}"

    async def start_again(self) -> None:
        """Start Asterisk again after its end, tell it where the telephones are, and listen."""
        for phone in (self.provider, *self.phones.values()):
            await asyncio.gather(*(call.hang_up(timeout_s=0.1) for call in phone.calls))
        await self.asterisk.start_again()
        await self.register()
        await self.tape.start()

    async def register(self) -> None:
        """Tell Asterisk where the telephones are."""
        for number, phone in self.phones.items():
            await phone.register(self.asterisk.sip_address, number)

    async def asks_what_there_is(self) -> None:
        """Ask for all channels, as whoever follows a PBX does after a connection broke."""
        await self.tape.ask("CoreShowChannels")
        await self.tape.ask("Status", Variables=STATUS_VARIABLES)

    # Who calls.

    async def outside(self, number: str, caller: str = MARIA, name: str = "", withheld: bool = False) -> Call:
        """Somebody outside calls one of the firm's numbers, of which only the last two digits are said."""
        address = self.asterisk.sip_address
        called = FIRM[:-2] + number
        return await self.provider.dial(address, called, caller=caller, name=name, withheld=withheld)

    async def inside(self, phone: str, number: str) -> Call:
        """Somebody in the firm dials."""
        return await self.phones[phone].dial(self.asterisk.sip_address, number, caller=phone)

    # Who is called.

    async def ringing(self, phone: str) -> Call:
        """Return the next call at a telephone of the firm."""
        return await self.phones[phone].next_call()

    async def ringing_outside(self) -> Call:
        """Return the next call that comes to the provider."""
        return await self.provider.next_call()

    async def answered(self, phone: str) -> Call:
        """Answer the next call at a telephone of the firm, and return it."""
        call = await self.ringing(phone)
        call.answer()
        return call

    async def talk(self, one: Call, other: Call) -> None:
        """Let two parties speak to each other for a moment."""
        # Never the same tones again: what was heard once would do for ever.
        first, second = next(self._tones), next(self._tones)
        one.speak(first)
        other.speak(second)
        await asyncio.gather(hears(one, second), hears(other, first))
        one.speak(None)
        other.speak(None)

    async def everybody_hangs_up(self) -> None:
        """End what is left of all calls."""
        calls = [call for phone in (self.provider, *self.phones.values()) for call in phone.calls]
        await asyncio.gather(*(call.hang_up() for call in calls))


async def hears(call: Call, hz: float, seconds: float = TALK_S) -> None:
    """Wait until a tone was heard for so long since now, other sounds before and behind it or not."""
    before = len(call.arrivals(hz))
    await call.hears(lambda _: len(call.arrivals(hz)) >= before + seconds * PACKETS_A_SECOND)


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    """Open the firm; nobody calls yet, and whoever is called lets it ring."""
    async with AsyncExitStack() as stack:
        provider, *phones = [await stack.enter_async_context(Phone.open()) for _ in range(4)]
        dialplan = (STREAMS / "extensions.conf").read_text()
        engine = (ROOT / "dialplan" / "routing-engine.conf").read_text()
        asterisk = await stack.enter_async_context(
            Asterisk(
                f"{dialplan}\n{engine}",
                sounds=ROOT / "sounds",
                phones=PHONES,
                queues={
                    "support": [f"PJSIP/{phone}" for phone in PHONES],
                    "sales": [f"Local/{phone}@agents/n" for phone in PHONES],
                },
                provider=provider.address,
                extra=FILES,
            )
        )
        for phone in (provider, *phones):
            phone.answer_with(status=None)
        firm = Office(asterisk, provider, dict(zip(PHONES, phones, strict=True)))
        firm.version = (await asterisk.ami.action("CoreSettings"))["AsteriskVersion"]
        await firm.register()
        yield firm
