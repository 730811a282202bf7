"""One private Asterisk: own folder, own free ports on the loopback address, gone without a trace afterwards.

async with Asterisk(dialplan="[from-trunk]\\nexten => 100,1,Playback(demo-congrats)\\n") as asterisk:
    call = await phone.dial(asterisk.sip_address, "100")
    landing = await asterisk.landed(call)
"""

import asyncio
import contextlib
import csv
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol, Self

from rig.conf import CALL_ID, CDR_FIELDS, HOST, MANAGER_USER, PATIENCE_S, Ports, Wish, files
from rig.furnish import MUSIC_HZ, certificate, find_asterisk, furnish, reserve_ports, wanted_modules
from rig.manager import Event, Manager, ManagerGone
from rig.process import ServerFailed
from routing_engine.asterisk.ami_wire import unescape_value
from routing_engine.errors import AmiRefused

__all__ = ["MUSIC_HZ", "Asterisk", "Landing", "NotLanded", "find_asterisk"]

BOOT_S = 60.0
#: Whoever starts it may be killed: then it ends too, where util-linux is there to see to that.
_MORTAL = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()


class NotLanded(AssertionError):
    """A call did not get where it was expected; the message tells its way."""


class Placed(Protocol):
    """Whatever knows a SIP Call-ID: a `sip.Call`."""

    @property
    def call_id(self) -> str:
        """The SIP Call-ID."""


@dataclass(frozen=True)
class Landing:
    """Where a call got to: dialplan place, application and its arguments, the variables set on the way, and the way."""

    context: str
    exten: str
    priority: int
    application: str
    data: str
    variables: Mapping[str, str]
    uniqueid: str
    way: tuple[str, ...]


class Asterisk:
    """A private Asterisk, running inside `async with`.

    `dialplan` is extensions.conf text; calls from a telephone enter the context `from-trunk` at the number dialled,
    calls from a registered one of `phones` the context `from-phones`. `sounds` is a folder with one folder per
    language; its sounds stand beside, and before, Asterisk's own. `queues` are names with their members
    (`PJSIP/1001`). `provider` is where the calls to `PJSIP/NUMBER@trunk` go. `extra` holds further files of the etc
    folder by name, and replaces ours of the same name. `web_phones` register from a browser (`wss_address`),
    `guarded_phones` by UDP, both with the password of a session (`POST /v1/sip-credentials`). With `keep`, the folder
    stays for a look afterwards.
    """

    def __init__(
        self,
        dialplan: str = "",
        *,
        sounds: Path | None = None,
        phones: Iterable[str] = ("1001", "1002", "1003"),
        queues: Mapping[str, Iterable[str]] | None = None,
        mailboxes: Iterable[str] | None = None,
        provider: tuple[str, int] | None = None,
        extra: Mapping[str, str] | None = None,
        web_phones: Iterable[str] = (),
        guarded_phones: Iterable[str] = (),
        rtp_ports: int = 1000,
        keep: bool = False,
    ) -> None:
        phones = tuple(phones)
        listed = tuple((name, tuple(members)) for name, members in (queues or {}).items())
        boxes = tuple(phones if mailboxes is None else mailboxes)
        self._wish = Wish(dialplan, phones, listed, boxes, provider, tuple(web_phones), tuple(guarded_phones))
        self._sounds, self._extra, self._rtp_ports, self._keep = sounds, extra or {}, rtp_ports, keep
        self._secret = secrets.token_hex(8)
        self._process: asyncio.subprocess.Process | None = None
        self._executable: Path
        self._token: socket.socket | None = None
        self.directory: Path
        self.ports: Ports
        self.ami: Manager

    async def __aenter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="rig-"))
        try:
            await self._start()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._leave()

    # Where it is.

    @property
    def sip_address(self) -> tuple[str, int]:
        """Where its SIP listens."""
        return HOST, self.ports.sip

    @property
    def http_address(self) -> tuple[str, int]:
        """Where its HTTP listens: ARI, as user `rig` with `secret`."""
        return HOST, self.ports.http

    @property
    def wss_address(self) -> str:
        """Where telephones in a browser connect; its certificate is nobody's."""
        return f"wss://{HOST}:{self.ports.https}/ws"

    @property
    def manager_address(self) -> tuple[str, int]:
        """Where its manager interface listens: user `rig` with `secret`."""
        return HOST, self.ports.manager

    @property
    def secret(self) -> str:
        """The password of the manager's and ARI's user `rig`."""
        return self._secret

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    # What it does.

    @property
    def events(self) -> list[Event]:
        """All manager events since it came up, oldest first."""
        return self.ami.events

    async def command(self, text: str) -> str:
        """What a command of its command line prints."""
        return await self.ami.command(text)

    async def variable(self, name: str, channel: str = "") -> str:
        """A global variable, or one of a channel; functions too; "" when it is not set."""
        return (await self.ami.action("Getvar", Variable=name, Channel=channel)).get("Value", "")

    async def wait_event(self, name: str, *, timeout_s: float = PATIENCE_S, since: int = 0, **fields: str) -> Event:
        """The first manager event of this name with these fields, past ones from number `since` on included."""

        def wanted(event: Event) -> bool:
            return event.get("Event") == name and all(event.get(key) == value for key, value in fields.items())

        try:
            return await self.ami.wait(wanted, timeout_s, self.events[since:])
        except TimeoutError:
            raise TimeoutError(f"no event {name} with {fields} within {timeout_s} s") from None

    def log_text(self) -> str:
        """Its whole log so far."""
        path = self.directory / "log" / "full"
        return path.read_text(errors="replace") if path.exists() else ""

    def cdrs(self) -> list[dict[str, str]]:
        """The call detail records written so far; a call's own is written a moment after its end."""
        path = self.directory / "log" / "cdr-custom" / "Calls.csv"
        with contextlib.suppress(FileNotFoundError), path.open(newline="") as file:
            return list(csv.DictReader(file, CDR_FIELDS))
        return []

    # Where a call got to.

    async def uniqueid(self, call: Placed | str, timeout_s: float = PATIENCE_S) -> str:
        """The Uniqueid of the channel that a call came in on; `call` may also be a SIP Call-ID or that very id."""
        wanted = call if isinstance(call, str) else call.call_id

        def starts(event: Event) -> bool:
            noted = event.get("Event") == "VarSet" and event.get("Variable") == CALL_ID
            return (noted and event.get("Value") == wanted) or (
                event.get("Event") == "Newchannel" and event.get("Uniqueid") == wanted
            )

        try:
            return (await self.ami.wait(starts, timeout_s, self.ami.events_about(wanted)))["Uniqueid"]
        except TimeoutError:
            raise NotLanded(f"no call {wanted} came in within {timeout_s} s") from None

    async def landed(
        self,
        call: Placed | str,
        contexts: str | Iterable[str] | None = None,
        timeout_s: float = PATIENCE_S,
        *,
        application: str = "*",
    ) -> Landing:
        """Where a call got to: the first step in one of `contexts` (patterns allowed: `routing-engine-*`).

        `application` narrows it to the step that runs, say, `Queue`. Without `contexts` the call is followed to its
        end, and its last step counts (those of an `h` extension do not).

        Raises:
            NotLanded: when the call ends, or the time is up, before it gets there.
        """
        uniqueid = await self.uniqueid(call, timeout_s)
        patterns = [contexts] if isinstance(contexts, str) else list(contexts) if contexts is not None else None

        def lands(event: Event) -> bool:
            return patterns is not None and _is_step(event, patterns, application)

        def settles(event: Event) -> bool:
            return event.get("Uniqueid") == uniqueid and (event.get("Event") == "Hangup" or lands(event))

        with contextlib.suppress(TimeoutError):
            event = await self.ami.wait(settles, timeout_s, self.ami.events_about(uniqueid))
            if lands(event):
                return self._landing(event)
            last = next((step for step in reversed(self._steps(uniqueid)) if step["Extension"] != "h"), None)
            if patterns is None and last is not None:
                return self._landing(last)
        way = "\n  ".join(map(_told, self._steps(uniqueid)))
        raise NotLanded(f"the call did not get to {application} in {patterns or 'its end'}; its way was\n  {way}")

    def _steps(self, uniqueid: str) -> list[Event]:
        return [event for event in self.ami.events_about(uniqueid) if event.get("Event") == "Newexten"]

    def _landing(self, step: Event) -> Landing:
        uniqueid = step["Uniqueid"]
        return Landing(
            step["Context"],
            step["Extension"],
            int(step["Priority"]),
            step["Application"],
            step["AppData"],
            self.variables(uniqueid),
            uniqueid,
            tuple(map(_told, self._steps(uniqueid))),
        )

    def variables(self, uniqueid: str) -> dict[str, str]:
        """The variables set on a channel so far, as last set."""
        sets = (event for event in self.ami.events_about(uniqueid) if event.get("Event") == "VarSet")
        return {event["Variable"]: unescape_value(event["Value"]) for event in sets}

    async def when_dialled(self, call: Placed | str, phone: str = "") -> dict[str, str]:
        """The variables of a call as it dials a telephone: what was set before is heard by then.

        A telephone that rings has been told by another way, and may know before the manager's events are here.
        """
        uniqueid = await self.uniqueid(call)

        def dials(event: Event) -> bool:
            about = event.get("Event") == "DialBegin" and event.get("Uniqueid") == uniqueid
            return about and event.get("DestChannel", "").startswith(f"PJSIP/{phone}")

        await self.ami.wait(dials, PATIENCE_S, self.events)
        return self.variables(uniqueid)

    # Start and stop.

    async def _start(self) -> None:
        installation = await asyncio.to_thread(find_asterisk)
        self.ports, self._token = reserve_ports(self._rtp_ports)
        texts = files(self.directory, installation.modules, wanted_modules(), self.ports, self._secret, self._wish)
        if self._wish.web_phones:
            texts["tls.pem"] = certificate()
        furnish(self.directory, installation, {**texts, **self._extra}, self._sounds)
        self._executable = installation.executable
        await self._run()

    async def _run(self) -> None:
        with (self.directory / "console").open("wb") as console:
            self._process = await asyncio.create_subprocess_exec(
                *_MORTAL, self._executable, "-f", "-C", self.directory / "etc" / "asterisk.conf",
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, cwd=self.directory,
                start_new_session=True,
            )  # fmt: skip
        await self._come_up()

    async def _come_up(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + BOOT_S
        while not hasattr(self, "ami"):
            assert self._process
            if self._process.returncode is not None or loop.time() > until:
                raise ServerFailed(f"Asterisk did not come up:\n{self._end_of_log()}")
            with contextlib.suppress(OSError, AmiRefused):
                self.ami = await Manager.connect(HOST, self.ports.manager, MANAGER_USER, self._secret, _about)
                break
            # Nothing tells that a port is about to open, short of trying.
            await asyncio.sleep(0.02)
        try:
            await self.wait_event("FullyBooted", timeout_s=BOOT_S)
        except (TimeoutError, ManagerGone) as fault:
            raise ServerFailed(f"Asterisk did not boot to its end:\n{self._end_of_log()}") from fault

    def _end_of_log(self) -> str:
        console = (self.directory / "console").read_text(errors="replace")
        return "\n".join((console + self.log_text()).splitlines()[-15:])

    async def kill(self) -> None:
        """End the process at once, as a crash would (SIGKILL)."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End the process as an operator would (SIGTERM): calls are hung up, records written; takes about a second."""
        await self._end(signal.SIGTERM)

    async def start_again(self) -> None:
        """Start it once more after `kill` or `stop`, in the same folder and on the same ports."""
        await self.ami.close()
        del self.ami
        await self._run()

    async def _leave(self) -> None:
        if hasattr(self, "ami"):
            await self.ami.close()
        # What an orderly stop would still write is thrown away with the folder, so nobody need wait for it.
        await (self.stop() if self._keep else self.kill())
        if self._token:
            self._token.close()
        if not self._keep:
            await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)

    async def _end(self, how: signal.Signals) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(how)
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _about(event: Event) -> tuple[str, ...]:
    """What an event is found by: its channel, and the SIP call whose id that channel has just noted."""
    noted = event.get("Event") == "VarSet" and event.get("Variable") == CALL_ID
    return (event.get("Uniqueid", ""), event.get("Value", "")) if noted else (event.get("Uniqueid", ""),)


def _is_step(event: Event, contexts: Iterable[str], application: str) -> bool:
    return (
        event.get("Event") == "Newexten"
        and any(fnmatchcase(event["Context"], pattern) for pattern in contexts)
        and fnmatchcase(event["Application"].lower(), application.lower())
    )


def _told(step: Event) -> str:
    return "{Context},{Extension},{Priority} {Application}({AppData})".format_map(step)
