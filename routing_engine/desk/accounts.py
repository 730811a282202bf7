"""People connect their own accounts in CRMs: who is on the way to a vendor's page, and who came back from it."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from routing_engine.calls.own_accounts import AccountLogIn, AccountState, OwnAccount
from routing_engine.core.ports import Clock
from routing_engine.errors import DeskRefused, ProviderRefused
from routing_engine.settings.people import User

#: So long somebody may be on the vendor's page.
ON_THE_WAY_S = 600.0
_MOST_ON_THE_WAY = 1000

#: Gives the accounts that a person can have, by integration.
AccountsOf = Callable[[User], Mapping[str, OwnAccount]]


@dataclass(frozen=True, slots=True)
class _OnTheWay:
    """Somebody who has left for a vendor's page. `browser` is a secret of the browser that left."""

    integration: str
    user: str
    log_in: AccountLogIn
    until: float
    browser: str = field(repr=False)


class OwnAccounts:
    """`accounts_of` is out of what is in force, `clock` monotonic. Raises `DeskRefused` and what providers raise."""

    def __init__(self, accounts_of: AccountsOf, clock: Clock) -> None:
        self._accounts_of, self._clock = accounts_of, clock
        self._on_the_way: OrderedDict[str, _OnTheWay] = OrderedDict()

    async def states(self, user: User) -> Mapping[str, AccountState | None]:
        """Return how each account is that a person can have; None for one that is not connected."""
        return {name: await _state(account) for name, account in self._accounts_of(user).items()}

    async def connect(self, user: User, integration: str, redirect_url: str) -> tuple[str, str]:
        """Return the address of the vendor's page, and what the browser must show when it is back."""
        log_in = await self._account(user, integration).connect(redirect_url)
        browser = secrets.token_urlsafe(32)
        until = self._clock() + ON_THE_WAY_S
        self._on_the_way[log_in.state] = _OnTheWay(integration, user.key, log_in, until, browser)
        if len(self._on_the_way) > _MOST_ON_THE_WAY:
            self._on_the_way.popitem(last=False)
        return log_in.address(), browser

    async def come_back(self, answer: Mapping[str, str], browser: str) -> tuple[str, str]:
        """Take the answer of a vendor's page; return integration and person. It counts once."""
        known = self._on_the_way.get(answer.get("state", ""))
        # Else whoever is lured to such an address would connect the own account to somebody else's name here.
        if known is None or not hmac.compare_digest(known.browser.encode(), browser.encode()):
            raise DeskRefused("foreign", "this answer belongs to no log-in of this browser", "connect the account anew")
        del self._on_the_way[answer["state"]]
        if self._clock() > known.until:
            raise DeskRefused("too_late", "this took longer than ten minutes", "connect the account anew")
        await known.log_in.finish(answer)
        return known.integration, known.user

    async def disconnect(self, user: User, integration: str) -> None:
        """Forget a person's account."""
        await self._account(user, integration).disconnect()
        gone = [one for one, way in self._on_the_way.items() if (way.user, way.integration) == (user.key, integration)]
        for state in gone:
            del self._on_the_way[state]

    def _account(self, user: User, integration: str) -> OwnAccount:
        found = self._accounts_of(user).get(integration)
        if found is None:
            sentence = f"nobody has an account of the own in '{integration[:64]}'"
            raise DeskRefused("no_accounts", sentence, "it needs auth: {oauth2: ...} with a log-in for people")
        return found


async def _state(account: OwnAccount) -> AccountState | None:
    try:
        return await account.state()
    except ProviderRefused:
        return AccountState("ended")  # what is kept cannot be read: with another key, or damaged
