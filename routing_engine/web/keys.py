"""Who asks: the key of a request, in the same time whatever was sent, and fewer tries for those who guess."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from routing_engine.core.ports import Clock
from routing_engine.settings.api import Program
from routing_engine.web.tries import Tries, place_of

#: So many wrong keys from one address within a minute, and it is not listened to until the minute is over.
MOST_WRONG, WRONG_S = 20, 60.0
_SCHEME = "bearer "


class KeyRing:
    """The keys in force. `clock` is monotonic, in seconds."""

    def __init__(self, keys: Sequence[Program], clock: Clock) -> None:
        self.keys = keys
        self._wrong = Tries(MOST_WRONG, WRONG_S, clock)

    def of(self, authorization: str) -> Program | None:
        """Return the key that a header `Authorization` names; None for none of ours."""
        scheme, sent = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :].strip()
        if scheme.lower() != _SCHEME:
            return None
        word = sent.encode("utf-8", "replace")
        # Every key is compared: how long it takes must not say which one begins alike.
        found = [one for one in self.keys if hmac.compare_digest(one.key.encode(), word)]
        return found[0] if found else None

    def waits(self, address: str) -> bool:
        """Return whether somebody at this address has guessed too often."""
        return self._wrong.are_over(place_of(address))

    def note_wrong(self, address: str) -> None:
        """Count a wrong key."""
        self._wrong.count(place_of(address))
