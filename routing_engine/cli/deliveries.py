"""`routing-engine deliveries`: what waits to be written elsewhere, and what is dead; send one again, or give it up."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from routing_engine.calls.as_json import moment
from routing_engine.cli.common import Commands, add_command, print_json, print_table, step_down
from routing_engine.cli.kept import in_database, who_commands
from routing_engine.config.engine_yaml import load_part
from routing_engine.delivery.jobs import DROPPED, Job, Queue, delivery_json
from routing_engine.errors import ConfigError, StorageError
from routing_engine.settings.environment import variable_of
from routing_engine.settings.stores import database_place

if TYPE_CHECKING:  # late: SQLAlchemy
    from sqlalchemy import Connection

    from routing_engine.storage.place import DatabasePlace

T = TypeVar("T")
_Ask: TypeAlias = Callable[[Queue], Awaitable[T]]
_HEAD = ("id", "target", "what", "call", "state", "tries", "next try", "why")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, and its own: retry, drop."""
    parser.add_argument("--state", choices=("waiting", "dead"), default=None, metavar="STATE", help="waiting or dead")
    parser.add_argument("--limit", type=int, default=1000, metavar="COUNT", help="at most so many (default: 1000)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_guarded(show))
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    _add_action(actions, "retry", "send one again, now", _retry)
    _add_action(actions, "drop", "give one up", _drop)


def _add_action(
    actions: Commands, name: str, gives: str, ask: Callable[[Queue, int, float], Awaitable[Job | None]]
) -> None:
    action = add_command(actions, name, gives)
    action.add_argument("id", type=int, metavar="ID", help="as the list has it")
    action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")
    action.set_defaults(run=_guarded(change), ask=ask, did=name)


def _guarded(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    def command(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except StorageError as error:
            print(f"routing-engine: {error}", file=sys.stderr)
            return 1

    return command


def show(options: argparse.Namespace) -> int:
    """List what waits and what is dead, the oldest first."""
    jobs = _asked(options, lambda queue: queue.listed(options.state, options.limit))
    if options.json:
        print_json({"deliveries": [delivery_json(job) for job in jobs]})
        return 0
    if not jobs:
        print("nothing waits, and nothing is dead" if options.state is None else f"nothing is {options.state}")
    else:
        print_table(_HEAD, [_row(job) for job in jobs])
    return 0


def _row(job: Job) -> tuple[str, ...]:
    again = "" if job.state == "dead" else (moment(job.due) or "")
    return str(job.id), job.target, job.kind, job.call_id, job.state, str(job.tries), again, job.error


def change(options: argparse.Namespace) -> int:
    """Send one again, or give it up; 1 when there is no such one."""
    job = _asked(options, lambda queue: options.ask(queue, options.id, time.time()))
    if job is None:
        print(
            f"routing-engine: there is no delivery {options.id}: 'routing-engine deliveries' lists them",
            file=sys.stderr,
        )
        return 1
    _note(options, job)
    if options.json:
        print_json({"deliveries": [delivery_json(job)]})
    elif options.did == "retry":
        print(f"{job.id} ({job.kind} to {job.target}) is sent again as soon as the engine looks: within 5 s")
    else:
        print(f"{job.id} ({job.kind} to {job.target}) is given up; its call says: {DROPPED}")
    return 0


def _note(options: argparse.Namespace, job: Job) -> None:
    from routing_engine.storage.people_table import AuditEntry, note  # late: SQLAlchemy

    entry = AuditEntry(time.time(), who_commands(), f"delivery {options.did}", f"{job.id} {job.target}")
    in_database(options, partial(note, entry=entry), write=True)


async def _retry(queue: Queue, job_id: int, now: float) -> Job | None:
    return await queue.retry(job_id, now)


async def _drop(queue: Queue, job_id: int, now: float) -> Job | None:
    return await queue.drop(job_id, now)


def _asked(options: argparse.Namespace, ask: _Ask[T]) -> T:
    """Ask the queue of a folder, from engine.yaml alone: nothing else that is wrong there matters here."""
    settings, problems = load_part(options.config, ("database", "journal"), partial(variable_of, options.config))
    if problems:
        raise ConfigError(problems)
    place = database_place(settings.database, options.config, settings.journal.path)
    if place.path is None:
        return asyncio.run(_of_server(place.url, ask))
    step_down(place.path, place.path.parent)
    return asyncio.run(_of_file(place, ask))


async def _of_server(url: str, ask: _Ask[T]) -> T:
    from routing_engine.delivery.postgres_queue import PostgresQueue  # late: an extra

    queue = PostgresQueue(url)
    try:
        return await ask(queue)
    finally:
        await queue.close()


async def _of_file(place: DatabasePlace, ask: _Ask[T]) -> T:
    from routing_engine.delivery.outbox_queue import OutboxQueue  # late: SQLAlchemy

    # Read first: only the service makes a database, a question makes none.
    transactions = _OneByOne(place)
    await transactions.read(lambda _: None)
    return await ask(OutboxQueue(transactions))


class _OneByOne:
    """Transactions of a command: each by itself, and waited for."""

    def __init__(self, place: DatabasePlace) -> None:
        self._place = place

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do a work that changes something."""
        return self._do(work, write=True)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do a work that changes nothing."""
        return self._do(work, write=False)

    def _do(self, work: Callable[[Connection], T], write: bool) -> T:
        from routing_engine.storage.connector import Connector  # late: SQLAlchemy

        connector = Connector(self._place, write=write)
        try:
            with connector.transaction() as connection:
                return work(connection)
        finally:
            connector.close()
