"""An engine that does nothing but deliver, and is there to be killed.

`python -m tests.delivery.deliverer DATABASE PORT`: DATABASE is a file, or the address of a
PostgreSQL. Leases are short, so that a test need not wait for them.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from ipaddress import ip_network
from pathlib import Path

from routing_engine.calls.call import Call
from routing_engine.delivery.jobs import Queue
from routing_engine.delivery.lane import Workplace
from routing_engine.delivery.outbox_queue import OutboxQueue
from routing_engine.delivery.postgres_queue import PostgresQueue
from routing_engine.delivery.webhook import Webhook
from routing_engine.delivery.worker import DeliveryWorker
from routing_engine.settings.webhook import WebhookKeys
from routing_engine.storage.connector import DatabasePlace
from routing_engine.storage.database import Database

from .fakes import FakeBook, a_call

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LEASE_S = 1.5


class EveryCall(FakeBook):
    """Has whatever call it is asked for."""

    async def call(self, call_id: str) -> Call | None:
        return self.calls.setdefault(call_id, a_call(call_id))


async def deliver(place: str, port: int) -> None:
    """Deliver to a webhook at `port` until somebody ends this."""
    queue: Queue
    if place.startswith("postgresql:"):
        queue = PostgresQueue(place, lease_s=LEASE_S)
    else:
        database = Database(DatabasePlace(Path(place)))
        await database.open()
        queue = OutboxQueue(database, lease_s=LEASE_S)
    keys = WebhookKeys(f"http://127.0.0.1:{port}/x", (KEY,), ("call.ended",), (ip_network("127.0.0.0/8"),))
    worker = DeliveryWorker(Workplace(queue, EveryCall(), time.time, random.random), LEASE_S / 3, poll_s=0.2)
    worker.change({"hook": Webhook(keys, time.time)})
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(deliver(sys.argv[1], int(sys.argv[2])))
