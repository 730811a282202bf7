"""Webhooks over a real server: signed so that the specification's own library believes them, and only where allowed."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

import pytest
import trustme
from aiohttp import web
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from routing_engine.calls.call import CallContact, Candidate, Leg, Note
from routing_engine.delivery.jobs import Dead, Delivered, Job, SendOutcome, TryAgain
from routing_engine.delivery.reach import may_reach
from routing_engine.delivery.webhook import MOST_BYTES, Webhook, message_id, webhook_body
from routing_engine.settings.webhook import WebhookKeys

from .fakes import NOON, a_call

pytestmark = pytest.mark.io
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_KEY = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
HERE = ip_network("127.0.0.0/8")
JOB = Job("hook", "call-1", "webhook", webhook_body("call.ended", a_call(from_="+43Grüße"), NOON), id=7)


@dataclass
class Receiver:
    """Answers with `status` and `headers`, and keeps what came."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async for port in serve(receiver):
        receiver.port = port
        yield receiver


async def serve(receiver: Receiver, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post("/{any:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def sent(url: str, *keys: str, private: bool = True) -> SendOutcome:
    listed = (HERE,) if private else ()
    webhook = Webhook(WebhookKeys(url, keys or (KEY,), ("call.ended",), listed), time.time)
    try:
        return await webhook.send(JOB, a_call())
    finally:
        await webhook.close()


async def test_the_specifications_own_library_believes_it(receiver: Receiver) -> None:
    assert await sent(f"http://127.0.0.1:{receiver.port}/x") == Delivered()
    [(headers, body)] = receiver.got
    event = Verifier(KEY).verify(body, headers)
    assert (event["type"], event["data"]["id"], event["data"]["from"]) == ("call.ended", "call-1", "+43Grüße")


async def test_while_a_key_is_changed_over_both_are_believed(receiver: Receiver) -> None:
    await sent(f"http://127.0.0.1:{receiver.port}/x", KEY, OTHER_KEY)
    [(headers, body)] = receiver.got
    assert Verifier(KEY).verify(body, headers) == Verifier(OTHER_KEY).verify(body, headers)


async def test_whoever_does_not_know_the_key_is_not_believed(receiver: Receiver) -> None:
    await sent(f"http://127.0.0.1:{receiver.port}/x", OTHER_KEY)
    [(headers, body)] = receiver.got
    with pytest.raises(WebhookVerificationError):
        Verifier(KEY).verify(body, headers)


async def test_a_message_keeps_its_id_over_all_tries(receiver: Receiver) -> None:
    for _ in range(2):
        await sent(f"http://127.0.0.1:{receiver.port}/x")
    ids = {headers["webhook-id"] for headers, _ in receiver.got}
    assert ids == {message_id(JOB)}
    assert "." not in message_id(JOB)


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Delivered()),
        (410, {}, Dead("410 Gone: the receiver wants no more", gone=True)),
        (400, {}, Dead("400 Bad Request: the receiver does not take this message")),
        (429, {"Retry-After": "120"}, TryAgain("the receiver answered 429", 120.0)),
        (503, {"Retry-After": "never"}, TryAgain("the receiver answered 503")),
        (500, {}, TryAgain("the receiver answered 500")),
        (404, {}, TryAgain("the receiver answered 404")),
    ],
)
async def test_what_an_answer_means(
    receiver: Receiver, status: int, headers: dict[str, str], outcome: SendOutcome
) -> None:
    receiver.status, receiver.headers = status, headers
    assert await sent(f"http://127.0.0.1:{receiver.port}/x") == outcome


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"}
    outcome = await sent(f"http://127.0.0.1:{receiver.port}/x")
    assert isinstance(outcome, TryAgain)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]"])
async def test_a_private_address_is_refused_however_it_is_written(receiver: Receiver, host: str) -> None:
    outcome = await sent(f"http://{host}:{receiver.port}/x", private=False)
    assert isinstance(outcome, TryAgain)
    assert "refused" in outcome.why
    assert receiver.got == []


async def test_a_name_that_leads_to_a_listed_address_is_fine(receiver: Receiver) -> None:
    assert await sent(f"http://localhost:{receiver.port}/x") == Delivered()


async def test_a_certificate_that_nobody_known_has_signed_is_refused() -> None:
    receiver, tls = Receiver(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async for port in serve(receiver, tls):
        assert isinstance(await sent(f"https://127.0.0.1:{port}/x"), TryAgain)
    assert receiver.got == []


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:0a00:0001::1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::93.184.216.34", True),
    ],
)
def test_only_public_addresses_are_reached_unless_listed(address: str, reached: bool) -> None:
    found = ip_address(address)
    assert may_reach(found, (), plain=False) is reached
    assert not may_reach(found, (), plain=True)
    assert may_reach(found, (ip_network("0.0.0.0/0"), ip_network("::/0")), plain=True)


def test_a_body_stays_below_what_receivers_take() -> None:
    notes = tuple(Note(NOON, "anna", "x" * 900) for _ in range(100))
    candidates = tuple(Candidate("crm", "contact", str(number), "n" * 50) for number in range(200))
    call = a_call(notes=notes, contact=CallContact("ambiguous", candidates=candidates), legs=(Leg("main/201"),) * 300)
    body = webhook_body("call.updated", call, NOON)
    assert len(body.encode()) <= MOST_BYTES
    assert json.loads(body)["data"]["id"] == "call-1"


def test_a_usual_body_has_all_of_the_call() -> None:
    body = json.loads(webhook_body("call.missed", a_call(notes=(Note(NOON, "anna", "again"),)), NOON))
    assert (body["type"], body["timestamp"]) == ("call.missed", "2027-01-15T08:00:00.000Z")
    assert body["data"]["notes"] == [{"at": "2027-01-15T08:00:00.000Z", "by": "anna", "text": "again"}]
