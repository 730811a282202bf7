"""People at the listener `http`, put together: who asks, who is logged in, what was done; and what a reload changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from routing_engine.config.load import Configuration
from routing_engine.connections import Network
from routing_engine.core.events import Publish
from routing_engine.core.ports import Clock
from routing_engine.settings.api import keys_in_force
from routing_engine.storage.database import Database
from routing_engine.web.access import Access
from routing_engine.web.audit import Audit
from routing_engine.web.oidc_api import OidcApi
from routing_engine.web.people_api import PeopleApi
from routing_engine.web.sessions import Sessions


class PeopleSite:
    """`start` it with the service, `change` it at a reload, `close` it at the end.

    `access` says who asks, `api` and `oidc` have the addresses. `ended` hears that log-ins may be over, or may do
    other things: who goes on for long looks again. `now` is the wall clock, `clock` the monotonic one.
    """

    def __init__(
        self,
        database: Database,
        configuration: Configuration,
        now: Callable[[], float],
        clock: Clock,
        proxies: Sequence[Network] = (),
        publish: Publish | None = None,
    ) -> None:
        self._configuration = configuration
        self.audit = Audit(database, now, publish)
        self.sessions = Sessions(database, self.audit, lambda: self._configuration.people, now, clock)
        self.api = PeopleApi(self.sessions, lambda: self._configuration)
        self.oidc = OidcApi(self.sessions, self.api, lambda: self._configuration, clock)
        self.access = Access((), configuration.people, clock, self.sessions)
        self.sessions.settings = configuration.settings.log_in
        self.access.change(keys_in_force(configuration.settings.api_keys), configuration.people, proxies)
        self.access.address = configuration.settings.pages.address

    def start(self, ended: Callable[[], None] = lambda: None) -> None:
        """Work behind from now on."""
        self.sessions.ended = ended
        self.sessions.review()
        self.sessions.start(lambda: self._configuration.settings.keep_days)

    def change(self, configuration: Configuration, proxies: Sequence[Network] = ()) -> None:
        """Take what a reload brings: people, groups and keys count from now on, also for who is logged in."""
        self._configuration = configuration
        self.sessions.settings = configuration.settings.log_in
        self.access.change(keys_in_force(configuration.settings.api_keys), configuration.people, proxies)
        self.access.address = configuration.settings.pages.address
        self.sessions.review()

    async def close(self) -> None:
        """End what works behind."""
        await self.oidc.close()
        await self.sessions.close()
