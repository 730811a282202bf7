"""Webhooks as the Standard Webhooks specification has them: signed, tried again for days, and to nowhere private.

Source: the specification of 2026-08 (standard-webhooks), sections "Webhook headers" and "Signature scheme".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import aiohttp
from yarl import URL

from routing_engine import __version__
from routing_engine.calls.as_json import JsonObject, call_json, moment
from routing_engine.calls.call import Call
from routing_engine.calls.changes import ChangeKind
from routing_engine.delivery.jobs import Dead, Delivered, Job, SendOutcome, TryAgain
from routing_engine.delivery.reach import GuardedSockets
from routing_engine.retry_after import seconds_until
from routing_engine.settings.webhook import WebhookKeys, key_bytes

#: How long an answer may take, from the connection to its head.
ANSWER_S = 15.0
_CONNECT_S = 5.0
#: What receivers take without being asked to: the specification's own advice.
MOST_BYTES = 20_000
_GONE = 410
# It is the message itself that is not taken; another one may be. The same again would be refused again.
_NEVER = {400: "Bad Request", 413: "Content Too Large", 422: "Unprocessable Content"}


def webhook_body(kind: ChangeKind, call: Call, at: float) -> str:
    """Return what is sent of an event: `{"type", "timestamp", "data"}`, where it can be below 20 kB.

    Of a longer one the oldest notes are left out, then the candidates, then the oldest legs; the API has them all.
    """
    for shorter in _shorter(call):
        event: JsonObject = {"type": kind, "timestamp": moment(at), "data": call_json(shorter)}
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _shorter(call: Call) -> Sequence[Call]:
    """Return a call with less and less of what may be long."""
    ways = [call, *(replace(call, notes=call.notes[-most:] if most else ()) for most in (20, 5, 1, 0))]
    bare = ways[-1]
    if bare.contact is not None:
        bare = replace(bare, contact=replace(bare.contact, candidates=bare.contact.candidates[:10]))
    return [*ways, bare, replace(bare, legs=bare.legs[-20:], transfers=bare.transfers[-20:])]


def message_id(job: Job) -> str:
    """Return the id of a message, the same at every try; a dot would part what is signed."""
    return f"msg_{job.call_id}_{job.id}".replace(".", "-")


def signature(keys: Sequence[str], id_: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one `v1` for each key, so that a receiver may know any of them."""
    signed = b".".join((id_.encode(), str(timestamp).encode(), body))
    made = (hmac.new(key_bytes(key), signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(one).decode()}" for one in made)


class Webhook:
    """A `Target` that gets events over HTTP. TLS is verified, no redirect followed, no cookie kept, no proxy used."""

    def __init__(self, keys: WebhookKeys, now: Callable[[], float]) -> None:
        self.keys, self._now = keys, now
        self._url = URL(keys.url, encoded=True)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, job: Job, call: Call) -> SendOutcome:
        """Send one event."""
        body = job.body.encode()
        try:
            async with self._open().post(
                self._url, data=body, headers=self._headers(job, body), allow_redirects=False
            ) as response:
                return self._outcome(response.status, response.headers.get("Retry-After", ""))
        except TimeoutError:
            return TryAgain(f"no answer within {ANSWER_S:g} s")
        except aiohttp.ClientConnectorError as error:
            return TryAgain(f"no connection: {error.os_error.strerror or error.os_error}")
        except aiohttp.InvalidURL:
            return TryAgain("the address in 'url' is refused: write it in full")
        except (aiohttp.ClientError, OSError) as error:
            # Their texts may hold the address, and that one a secret.
            return TryAgain(f"the connection broke: {type(error).__name__}")

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            guarded = GuardedSockets(self.keys.private, plain=self._url.scheme == "http")
            self._session = aiohttp.ClientSession(
                # Each connection anew through the guard: names are not remembered.
                connector=aiohttp.TCPConnector(socket_factory=guarded, use_dns_cache=False),
                timeout=aiohttp.ClientTimeout(total=ANSWER_S, connect=_CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"routing-engine/{__version__}"},
            )
        return self._session

    def _headers(self, job: Job, body: bytes) -> dict[str, str]:
        # The id is the message's, the timestamp that of this try: receivers refuse what is older than five minutes.
        id_, timestamp = message_id(job), int(self._now())
        return {
            "Content-Type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self.keys.secret, id_, timestamp, body),
        }

    def _outcome(self, status: int, retry_after: str) -> SendOutcome:
        if 200 <= status < 300:
            return Delivered()
        if status == _GONE:
            return Dead("410 Gone: the receiver wants no more", gone=True)
        if status in _NEVER:
            return Dead(f"{status} {_NEVER[status]}: the receiver does not take this message")
        if 300 <= status < 400:
            return TryAgain(f"{status}: the receiver is elsewhere, and redirects are not followed; correct 'url'")
        return TryAgain(f"the receiver answered {status}", seconds_until(retry_after, self._now()))
