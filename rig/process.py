"""A private server: a program with its log in a folder of its own, on free ports of the loopback address.

Every server of the rig is one of these: how it is started, waited for, stopped and heard stands here alone.
"""

import contextlib
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
HOST = "127.0.0.1"
# Below the range from which the kernel hands out ports, and below those of the rig's Asterisk: the same port must be
# there again after a restart.
_PORTS = range(5100, 9900)
_TRIES = 8


class ServerFailed(Exception):
    """A server could not be fetched or did not come up; the message holds the end of what it said."""


def fetched(script: str, *words: str) -> Path:
    """Return what a `get-...` script has brought: the last line of its output. Quick when it is there already.

    Raises:
        ServerFailed: when it brings nothing; why stands on standard error.
    """
    done = subprocess.run([HERE / script, *words], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"rig/{script} brought nothing to run ({done.returncode}); what it says stands above")
    return Path(done.stdout.splitlines()[-1])


@dataclass
class Server:
    """A server program. `stop` and `start` are a restart on the same ports, with the same data.

    Its folder holds `log`, all that it has written since it was first started.
    """

    folder: Path
    ports: tuple[int, ...] = ()
    host: str = HOST
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _tokens: list[socket.socket] = field(default_factory=list, repr=False)
    _log_begins: int = field(default=0, repr=False)

    #: How many ports it needs, how long it may take to come up and to end, and what asks it to end.
    ports_wanted = 1
    boot_s, stop_s = 60.0, 30.0
    ends_by = signal.SIGTERM

    def command(self) -> Sequence[str | Path]:
        """Return the words that start it on `ports`."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Return whether it serves: asked again and again while it starts. Here: whether it listens."""
        return is_open(self.port)

    def environment(self) -> Mapping[str, str] | None:
        """Return the variables it is started with; None: those of this process."""
        return None

    @property
    def port(self) -> int:
        """The first of its ports."""
        return self.ports[0]

    @property
    def pid(self) -> int:
        """The id of its process while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def log_text(self) -> str:
        """What it has written since it was started last."""
        return (self.folder / "log").read_bytes()[self._log_begins :].decode(errors="replace")

    def start(self) -> None:
        """Start it and wait until it serves; again on the ports it had.

        Raises:
            ServerFailed: when it does not come up.
        """
        again = bool(self.ports)
        for _ in range(1 if again else _TRIES):
            if not again:
                self._release()
                self.ports, self._tokens = reserve(self.ports_wanted)
            if self._comes_up():
                return
        raise ServerFailed(f"{type(self).__name__} did not come up on {self.ports}:\n{self.log_text[-2000:]}")

    def _comes_up(self) -> bool:
        with (self.folder / "log").open("ab") as log:
            self._log_begins = log.tell()
            self._process = subprocess.Popen(
                [*map(str, self.command())], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env=self.environment(),
            )  # fmt: skip
        until = time.monotonic() + self.boot_s
        while self._process.poll() is None and time.monotonic() < until:
            # What answers could be another program: then ours has ended, or is about to, for want of the port.
            if self.is_ready() and self._process.poll() is None:
                return True
            time.sleep(0.02)  # nothing tells that a port is about to open, short of trying
        self.stop()
        return False

    def signal(self, which: signal.Signals) -> None:
        """Send it a signal: SIGSTOP freezes it (and is waited for), SIGCONT lets it go on."""
        assert self._process is not None
        self._process.send_signal(which)
        if which == signal.SIGSTOP:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def stop(self, kill: bool = False) -> None:
        """End it as an operator would, by force when that takes too long; with `kill` as a crash would."""
        if self._process is None:
            return
        children = _children(self._process.pid) if kill else []
        self._process.send_signal(signal.SIGKILL if kill else self.ends_by)
        self._process.send_signal(signal.SIGCONT)  # one that is frozen hears of nothing else
        try:
            self._process.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in children:
            _end(child, self.stop_s)
        self._process = None

    def restart(self) -> None:
        """Stop it and start it again where it was."""
        self.stop()
        self.start()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Let it run inside `with`; afterwards its folder is gone."""
        try:
            self.start()
            yield
        finally:
            self.stop()
            self._release()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _release(self) -> None:
        for token in self._tokens:
            token.close()
        self._tokens = []


def _children(pid: int) -> list[int]:
    """Return handles (pidfd_open(2)) of the processes that a process has begun, and of those that they have."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        handles = [os.pidfd_open(int(child)) for child in found]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it is ending by itself
    return handles + [handle for child in found for handle in _children(int(child))]


def _end(handle: int, patience_s: float) -> None:
    """End a process whose parent was killed, and wait for it: PostgreSQL does not start beside one of its own."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    select.select([handle], [], [], patience_s)
    os.close(handle)


def new_folder(prefix: str, below: Path | None = None) -> Path:
    """Return a new folder for a server, below another one or among the temporary ones of this machine."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=below)).resolve()


def reserve(count: int, among: Sequence[int] = _PORTS) -> tuple[tuple[int, ...], list[socket.socket]]:
    """Return free ports, and the tokens that keep them from every other run of the rig until they are closed.

    Raises:
        ServerFailed: when no port is left.
    """
    ports: list[int] = []
    tokens: list[socket.socket] = []
    for port in random.sample(among, len(among)):
        if token := reserved(port):
            ports.append(port)
            tokens.append(token)
        if len(ports) == count:
            return tuple(ports), tokens
    raise ServerFailed(f"there are no {count} free ports")


def reserved(first: int, count: int = 1) -> socket.socket | None:
    """Return the token of `count` ports in a row, when they are free; None when one of them is not."""
    token = socket.socket(socket.AF_UNIX)
    if _takes(token, f"\0routing-engine-rig-{first}") and all(map(_is_free, range(first, first + count))):
        return token
    token.close()
    return None


def is_open(port: int) -> bool:
    """Return whether somebody listens on a port of the loopback address."""
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, port), 1.0).close()
        return True
    return False


def _takes(token: socket.socket, address: str | tuple[str, int]) -> bool:
    try:
        token.bind(address)
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as trial:
            # As servers do, so that a connection that has just ended does not count.
            if kind == socket.SOCK_STREAM:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not _takes(trial, (HOST, port)):
                return False
    return True
