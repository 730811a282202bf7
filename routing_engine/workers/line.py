"""The line between the first process and a worker: a pair of sockets that nobody else has.

Messages are pickled. That is safe here and nowhere else: both ends are this program, and the sockets have no name by
which another one could reach them.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from routing_engine.errors import RoutingEngineError, traceback_frames
from routing_engine.logger import Logger
from routing_engine.workers.messages import Answer, Question, Saying

_HEAD = 4
#: More than this waits unread: the other side stands still, and what is only told is dropped.
_MOST_UNREAD = 8 << 20
_SAYS: Literal[0] = 0
_ASKS: Literal[1] = 1
_ANSWERS: Literal[2] = 2

_log = Logger()
#: Takes what is told; must not wait.
Hear: TypeAlias = Callable[[Saying], None]
#: Answers a question.
Reply: TypeAlias = Callable[[Question], Awaitable[Answer]]


_Frame: TypeAlias = tuple[Literal[0], int, Saying] | tuple[Literal[1], int, Question] | tuple[Literal[2], int, Answer]


class LineBroken(RoutingEngineError):
    """The other side is not there any more."""


class WorkerLine:
    """One end. `say` and `ask`, while `run` hears the other side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._gone = False

    @classmethod
    async def over(cls, own: socket.socket) -> WorkerLine:
        """Return the end over one of a pair of sockets; it belongs to the line from now on."""
        return cls(*await asyncio.open_unix_connection(sock=own))

    def say(self, message: Saying) -> None:
        """Tell something; nobody hears it where nobody is there."""
        # What nobody reads must not pile up: figures and calls that a process missed that stands still.
        if not self._gone and self._writer.transport.get_write_buffer_size() < _MOST_UNREAD:
            self._send((_SAYS, 0, message))

    async def ask(self, question: Question) -> Answer:
        """Return the answer. Raises `LineBroken`."""
        if self._gone:
            raise LineBroken("the other process has ended")
        self._count += 1
        number = self._count
        asked: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = asked
        try:
            self._send((_ASKS, number, question))
            return await asked
        finally:
            self._asked.pop(number, None)

    async def run(self, hear: Hear, reply: Reply) -> None:
        """Hear the other side until it has gone, or this end is closed."""
        try:
            while True:
                size = int.from_bytes(await self._reader.readexactly(_HEAD))
                frame: _Frame = pickle.loads(await self._reader.readexactly(size))  # noqa: S301  see above
                self._take(frame, hear, reply)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            await self.close()

    async def close(self) -> None:
        """Hang up: who waits for an answer gets none."""
        self._gone = True
        self._writer.close()
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(LineBroken("the other process has ended"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------------------------------- inside

    def _take(self, frame: _Frame, hear: Hear, reply: Reply) -> None:
        if frame[0] == _SAYS:
            hear(frame[2])
        elif frame[0] == _ASKS:
            # A task for each: a text that takes its time to be spoken holds up no other one.
            task = asyncio.get_running_loop().create_task(self._answer(frame[1], frame[2], reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif (asked := self._asked.get(frame[1])) is not None and not asked.done():
            asked.set_result(frame[2])

    async def _answer(self, number: int, question: Question, reply: Reply) -> None:
        answer: Answer = None
        try:
            answer = await reply(question)
        except Exception as error:
            _log.error("worker.failed", error=type(error).__name__, traceback=traceback_frames(error))
        self._send((_ANSWERS, number, answer))

    def _send(self, frame: _Frame) -> None:
        if self._gone:
            return
        sent = pickle.dumps(frame, pickle.HIGHEST_PROTOCOL)
        self._writer.write(len(sent).to_bytes(_HEAD) + sent)
