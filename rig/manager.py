"""What an Asterisk tells over its manager interface, from its first event on: kept, found again, and waited for."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from rig.conf import PATIENCE_S
from routing_engine.asterisk.ami import AmiClient, AmiServer
from routing_engine.asterisk.ami_wire import AmiMessage, FieldValue

Event = Mapping[str, str]
About = Callable[[Event], Iterable[str]]


class ManagerGone(Exception):
    """The manager connection is over: no event will come any more."""


class Manager:
    """A logged-in manager connection. All events since the log-in stand in `events`, oldest first."""

    def __init__(self, client: AmiClient, about: About) -> None:
        self.events: list[Event] = []
        self._about = about
        self._found: defaultdict[str, list[Event]] = defaultdict(list)
        self._client = client
        self._waiting: list[tuple[Callable[[Event], bool], asyncio.Future[Event]]] = []
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, host: str, port: int, user: str, secret: str, about: About) -> "Manager":
        """Return a connection, logged in. `about` names the keys under which `events_about` finds an event again.

        Raises:
            OSError: when nobody listens.
            AmiRefused: when the log-in is refused.
        """
        # Unbounded, so to say: a test wants to see all that was.
        client = AmiClient(AmiServer(host, port, user, secret, hears="on", ping_s=3600), most_events=10**9)
        manager = cls(client, about)
        await client.connect()
        manager._task = asyncio.create_task(manager._read())
        return manager

    async def action(self, name: str, timeout_s: float = PATIENCE_S, **fields: FieldValue) -> AmiMessage:
        """Return the response to an action.

        Raises:
            AmiRefused: when it is an error.
            OSError: when the connection is gone.
        """
        return (await self._client.action(name, timeout_s, **fields))[0]

    async def command(self, text: str) -> str:
        """Return what a command of Asterisk's own command line prints."""
        return "\n".join((await self.action("Command", Command=text)).every("Output"))

    def events_about(self, key: str) -> list[Event]:
        """Return the events so far with this key (a Uniqueid, say), without a look at all others."""
        return self._found.get(key, [])

    async def wait(
        self, wanted: Callable[[Event], bool], timeout_s: float, past: Iterable[Event] | None = None
    ) -> Event:
        """Return the first event that is as wanted, out of `past` (None: all there are) or of those to come.

        Raises:
            TimeoutError: when none comes.
            ManagerGone: when the connection is gone.
        """
        known = self.events if past is None else past
        if (found := next((event for event in known if wanted(event)), None)) is not None:
            return found
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        entry = (wanted, future)
        self._waiting.append(entry)
        try:
            return await asyncio.wait_for(future, timeout_s)
        finally:
            self._waiting.remove(entry)

    async def _read(self) -> None:
        with contextlib.suppress(OSError):
            async for event in self._client.events(again=False):
                if isinstance(event, AmiMessage):
                    self._take(event)
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(ManagerGone("Asterisk closed the manager connection"))

    def _take(self, event: Event) -> None:
        self.events.append(event)
        for key in self._about(event):
            self._found[key].append(event)
        for wanted, future in tuple(self._waiting):
            if not future.done() and wanted(event):
                future.set_result(event)

    async def close(self) -> None:
        """Close the connection."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._client.close()
