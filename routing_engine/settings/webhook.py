"""A file of `webhooks/`: who is told of calls over HTTP, of what, and how he knows that it was us."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import get_args

from yarl import URL

from routing_engine.calls.changes import ChangeKind
from routing_engine.settings.listeners import NETWORK, Network
from routing_engine.settings.spec import required, setting
from routing_engine.settings.value_types import TEXT, ValueType, choice, one_or_more, secret
from routing_engine.settings.yaml_reader import Section, YamlValue

#: How a key of the Standard Webhooks specification begins.
KEY_BEGINS = "whsec_"
_SHORTEST, _LONGEST = 24, 64
_NEW_KEY = "make one with: echo whsec_$(openssl rand -base64 32)"
# Problems show what a file says in place of a secret, also of its beginning: no word here may be one.
_NEW_REST = "keep its beginning, and put behind it what this prints: openssl rand -base64 32"


def key_bytes(key: str) -> bytes:
    """Return the bytes of a key. Raise `ValueError` with what is wrong, without the key."""
    if not key.startswith(KEY_BEGINS):
        raise ValueError(f"does not begin with {KEY_BEGINS}")
    written = key.removeprefix(KEY_BEGINS)
    try:
        # Without its padding it is a key to others, too.
        found = base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64 behind its beginning") from None
    if not _SHORTEST <= len(found) <= _LONGEST:
        raise ValueError(f"has {len(found)} bytes; {_SHORTEST} to {_LONGEST} are allowed")
    return found


def _read_key(value: YamlValue, usual: str) -> str | None:
    found = secret().read(value, usual)
    if found:
        try:
            key_bytes(found)
        except ValueError as fault:
            value.note(f"the key of {value.what} {fault}", _NEW_REST if found.startswith(KEY_BEGINS) else _NEW_KEY)
    return found


_KEY = replace(secret("a [secret](integrations.md#secrets): `whsec_` and base64", 1), read=_read_key)


def _read_url(value: YamlValue, _: str) -> str | None:
    # Filled, because what calls a workflow is often a secret in its path.
    text = value.filled()
    if text and not _is_web(text):
        value.note(
            f"{value.what} is not an http or https address", "write for example https://automation.example.com/x"
        )
        return None
    return text


def _is_web(text: str) -> bool:
    try:
        url = URL(text, encoded=True)
        # A user in it would be sent to whoever answers there; a fragment is never sent.
        known = url.scheme in ("http", "https") and url.host and 0 < (url.port or 0) < 65536
        return bool(known and url.user is None and "#" not in text and text.isascii() and text.isprintable())
    except ValueError:
        return False


_URL = ValueType(
    _read_url,
    lambda _: {**TEXT, "type": "string", "pattern": "^(https?://|[$][{])"},
    "https address",
    hidden=True,
)


@dataclass(frozen=True, slots=True)
class WebhookKeys:
    """A file of `webhooks/`."""

    url: str = required(_URL, "", "where it is sent, with POST", example="https://automation.example.com/calls")
    secret: tuple[str, ...] = required(
        one_or_more(_KEY, ("'secret' names no key", _NEW_KEY)),
        (),
        "the key that signs. While it is changed over a list: each signs, and the receiver may know any",
        example="'${AUTOMATION_SECRET}'",
    )
    events: tuple[ChangeKind, ...] = required(
        one_or_more(
            choice(*get_args(ChangeKind), fault="there is no event '{}'"),
            ("'events' names none: nothing would be sent", "write for example events: [call.ended]"),
        ).called("[events](#events): one, or a list"),
        (),
        "what is sent",
        example="[call.ended, call.missed]",
    )
    private: tuple[Network, ...] = setting(
        one_or_more(NETWORK),
        (),
        "the private addresses that it may reach, also over plain http",
        usual="none: an address that is private is refused when it is connected to",
        example="[10.0.0.0/8]",
    )

    def check(self, section: Section, what: str) -> None:
        """Note an address that everybody on the way could read, and write."""
        if self.url.startswith("http:") and not self.private:
            sentence = "'url' would send calls in the clear over the internet"
            section.note("url", sentence, "write https://, or private: [10.0.0.0/8] with the network where it stands")
