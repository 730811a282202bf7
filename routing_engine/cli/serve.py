"""`routing-engine serve`: the service."""

from __future__ import annotations

import argparse
import asyncio
import errno
import re
import signal
import sys
from collections.abc import Callable
from importlib import import_module

from routing_engine.cli.common import misuse, worker_count
from routing_engine.engine import open_store
from routing_engine.errors import ConfigError
from routing_engine.logger import set_up_log
from routing_engine.service import Service


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    more = "carry the calls in N processes on one port, for a machine with as many cores (default: in this one)"
    parser.add_argument("--workers", type=worker_count, default=1, metavar="N", help=more)
    # How this program begins each of them.
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    parser.set_defaults(run=run, tells_refusal=False)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    if options.worker:
        return _be_worker(options)
    store = open_store(options.config)
    configuration = store.start()
    # As the configuration in force wants it: the last good one, where the folder is broken.
    set_up_log(configuration.settings.logging.level, configuration.settings.logging.format)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(Service(store, workers=options.workers if options.workers > 1 else 0)))


def _be_worker(options: argparse.Namespace) -> int:
    from routing_engine.worker_service import WorkerFiles, run_worker  # late: the first process has no use for it

    try:
        files = WorkerFiles.named(options.worker)
    except ValueError:
        return misuse("--worker is how 'serve --workers' begins its processes; use that")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run_worker(options.config, files))
    return 0


async def _serve(service: Service) -> int:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, service.stop)
    # Held here: the loop itself would let go of a task that nobody holds.
    reloads: set[asyncio.Task[bool]] = set()
    loop.add_signal_handler(signal.SIGHUP, lambda: reloads.add(loop.create_task(service.reload())))
    try:
        await service.start()
    except ConfigError as error:
        await service.close()
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        await service.close()
        print(f"routing-engine: cannot listen: {_why(error)}; set listeners in engine.yaml", file=sys.stderr)
        return 1
    await service.run()
    return 0


def _why(error: OSError) -> str:
    taken = {errno.EADDRINUSE: "another program listens there", errno.EADDRNOTAVAIL: "no such address here"}
    # asyncio names the address in its sentence: `... bind on address ('127.0.0.1', 4573): ...`.
    named = re.search(r"\('([^']+)', (\d+)", str(error))
    place = f"{named[1]}:{named[2]}: " if named else ""
    return place + taken.get(error.errno or 0, str(error))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop where that is installed, else None for the standard one."""
    try:
        # By its name as a text: it is an extra, and nobody needs it to run or to check the types.
        factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    except ImportError:
        return None
    return factory
