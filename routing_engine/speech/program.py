"""One run of a program: bounded in what it may write, and gone with all its children when nobody waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from routing_engine.errors import SpeechError

#: Fifty minutes of speech at 8 kHz, and still no harm to the memory.
MOST_BYTES = 50_000_000
_KEPT_ERRORS = 4_000
_SHOWN = frozenset({"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"})


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a program ended: its status (negative is a signal), what it wrote, the end of its complaints."""

    status: int
    out: bytes
    err: str


async def run(
    words: Sequence[str], stdin: bytes | None, wants_out: bool, own: Mapping[str, str] | None = None
) -> ProgramResult:
    """Run a program to its end. Cancelled, it is killed first. `own` are environment variables of its own.

    Raises `OSError` when it cannot be started, `SpeechError` when it writes more than `MOST_BYTES`.
    """
    loop = asyncio.get_running_loop()
    transport, listener = await loop.subprocess_exec(
        lambda: _Listener(loop.create_future()),
        *words,
        stdin=DEVNULL if stdin is None else PIPE,
        stdout=PIPE if wants_out else DEVNULL,
        stderr=PIPE,
        env={**environment(os.environ), **(own or {})},
        start_new_session=True,  # a group of its own, so that its children can be killed with it
    )
    try:
        _feed(transport, stdin)
        await listener.ended
        return ProgramResult(
            transport.get_returncode() or 0, bytes(listener.out), listener.err.decode("utf-8", "replace")
        )
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
        raise
    finally:
        transport.close()
        await asyncio.shield(listener.gone)


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return what of our environment a program may see: where it finds things and how it writes, and no secret."""
    return {name: value for name, value in ours.items() if name in _SHOWN or name.startswith("LC_")}


def _feed(transport: asyncio.SubprocessTransport, stdin: bytes | None) -> None:
    """Hand over what the program reads: a text is far shorter than a pipe holds.

    A program may end without having read it. Then the pipe is gone (uvloop: RuntimeError), and what it has to say for
    itself is its status.
    """
    pipe = cast(asyncio.WriteTransport | None, transport.get_pipe_transport(0))
    if stdin is not None and pipe is not None:
        with contextlib.suppress(OSError, RuntimeError):
            pipe.write(stdin)
            pipe.close()


class _Listener(asyncio.SubprocessProtocol):
    """Keeps what a program writes. `ended` is when it and all its pipes are closed, or when it wrote too much."""

    def __init__(self, ended: asyncio.Future[None]) -> None:
        self.ended = ended
        self.gone: asyncio.Future[None] = ended.get_loop().create_future()
        self.out = bytearray()
        self.err = b""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take what it wrote: all of its output, the end of its complaints."""
        if fd == 1 and not self.ended.done():
            self.out += data
            if len(self.out) > MOST_BYTES:
                self.ended.set_exception(SpeechError(f"it wrote more than {MOST_BYTES // 1_000_000} MB"))
        elif fd == 2:
            self.err = (self.err + data)[-_KEPT_ERRORS:]

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended and was waited for, and its pipes are closed."""
        for future in (self.ended, self.gone):
            if not future.done():
                future.set_result(None)
