"""What the listener `http` offers, put together: one line for each room that has addresses."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ssl import SSLContext

from routing_engine import __version__
from routing_engine.asked_decisions import AskedDecisions
from routing_engine.call_book import CallBook
from routing_engine.calls.changes import CallChanged, PbxReached, uuid7
from routing_engine.certificates import CertificateFiles, ListenerCertificate, keep_renewed
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.load import Configuration
from routing_engine.connections import AccessList
from routing_engine.core.phone import number_text
from routing_engine.desk.accounts import OwnAccounts
from routing_engine.desks import Desks
from routing_engine.dialling.changes import CallChanges
from routing_engine.dialling.control import CallControl
from routing_engine.dialling.dialler import Dialler
from routing_engine.dialling.passwords import SessionPasswords
from routing_engine.event_bus import EventBus
from routing_engine.followed_calls import FollowedCalls
from routing_engine.logger import Logger
from routing_engine.settings.listeners import ListenerAddress
from routing_engine.settings.people import User
from routing_engine.storage.database import Database
from routing_engine.web.accounts_api import AccountsApi
from routing_engine.web.api import ApiListener
from routing_engine.web.calls_api import CallsApi
from routing_engine.web.clicks_api import ClicksApi
from routing_engine.web.contacts_api import ContactsApi
from routing_engine.web.decide import DecideApi
from routing_engine.web.dial_api import DialApi
from routing_engine.web.edges_api import EdgesApi
from routing_engine.web.endpoints import Endpoint, Endpoints
from routing_engine.web.openapi import OpenApi
from routing_engine.web.pages import Pages
from routing_engine.web.people_site import PeopleSite
from routing_engine.web.recording_api import RecordingApi
from routing_engine.web.repeats import Repeats
from routing_engine.web.reports import ReportsApi
from routing_engine.web.revisions_api import RevisionsApi
from routing_engine.web.sip_api import SipApi
from routing_engine.web.site_api import SiteApi
from routing_engine.web.stream import CallStream

_log = Logger()


class ApiService:
    """Answers programs and people. `open` it while the service starts, `close` it at the end."""

    def __init__(self, calls: FollowedCalls, events: EventBus, configuration: Configuration) -> None:
        self._calls, self._events = calls, events
        # Not the calls' own: programs may ask before the first call can be taken.
        self._configuration = configuration
        self._decisions = AskedDecisions(lambda: self._configuration)
        self._certificate: ListenerCertificate | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def open(self, address: ListenerAddress) -> Sequence[str]:
        """Listen; return where. Raises `OSError` when the address is taken."""
        configuration, settings = self._configuration, self._configuration.settings
        self._address = address
        database, book = await self._calls.open(configuration)
        offers = self._offers(configuration, database, book)
        self._api = ApiListener((*offers, OpenApi(offers, __version__)), self._people.access, _hosts(address))
        self._pages = self._api.pages = Pages(settings.pages.frames, _phone_servers(configuration))
        self._repeats = self._api.repeats = Repeats(database, time.time)
        await self._api.listen(address.host, address.port, self._proved(configuration))
        self._reports.start()
        self._sip.start()
        self._people.start(self._look_again)
        return self._api.addresses

    def _proved(self, configuration: Configuration) -> SSLContext | None:
        """Return what the listener proves itself with, None where it speaks no TLS."""
        files = _files_of(configuration.settings)
        if files is None:
            return None
        self._certificate = certificate = ListenerCertificate(files, _tell_certificate)
        certificate.renew()
        self._renewing = asyncio.create_task(keep_renewed(certificate), name="certificate of http")
        return certificate.context

    def _offers(self, configuration: Configuration, database: Database, book: CallBook) -> Sequence[Endpoints]:
        number = partial(number_text, configuration.settings.region)
        clocks, proxies = (time.time, time.monotonic), self._address.proxies
        self._people = PeopleSite(database, configuration, *clocks, proxies, self._events.publish)
        self._reports = ReportsApi(database, book, self._calls.follows, number, time.time)
        self.stream = CallStream(book)
        self._events.subscribe_at_once(CallChanged, self.stream.hear)
        desk, desks = self._calls.desk, self._calls.desks
        assert desk is not None, "it comes with the book"
        self._contacts = ContactsApi(book, desk, desks.site, desks.asked_by_route)
        self._passwords = SessionPasswords(self._calls.dial_site, self._calls.commands, time.time)
        self._events.subscribe_at_once(PbxReached, self._passwords.reached)
        self._sip = SipApi(self._passwords)
        offers: list[Endpoints] = [CallsApi(book, time.time, number), self._contacts, self._reports, self.stream]
        offers += [
            RecordingApi(book, self._calls),
            DecideApi(self._decisions),
            self._dialling(book),
            self._sip,
        ]
        if self._calls.queue is not None:  # it is there since the book is
            site = _SiteInForce(self._calls, lambda: self._configuration, book)
            offers.append(SiteApi(site, self._calls.queue, time.time))
        offers.append(RevisionsApi(configuration.settings.folder, lambda: self._configuration.settings))
        if self._calls.hub is not None:
            offers.append(EdgesApi(self._calls.hub))
        return [*offers, *self._of_people(desks)]

    def _of_people(self, desks: Desks) -> Sequence[Endpoints]:
        """Return who logs in, with what accounts in CRMs, and what these tell of clicks."""
        own = OwnAccounts(desks.accounts_of, time.monotonic)
        accounts = AccountsApi(own, desks.site, lambda: self._configuration.settings.pages.address)
        self._people.api.accounts = accounts.of
        self._people.sessions.gone = self._passwords.end_all
        self._people.api.title = lambda name: desks.site().title(name)
        return [
            self._people.api,
            self._people.oidc,
            accounts,
            ClicksApi(desks.site, self._dialler.dial, time.monotonic),
        ]

    def _dialling(self, book: CallBook) -> DialApi:
        calls, changes = self._calls, CallChanges()
        self._events.subscribe_at_once(CallChanged, changes.heard)
        dialler = self._dialler = Dialler(calls.dial_site, book, calls.commands, changes, _new_call_id)
        control = CallControl(calls.dial_site, calls.commands, changes, calls.pbx_site)
        self._people.api.cannot_hold = control.cannot_hold
        return DialApi(dialler, control, book)

    def _look_again(self) -> None:
        """Look whether those who are logged in still are: their streams and telephones end with that."""
        self.stream.review()
        self._sip.review()

    @property
    def rows(self) -> Sequence[Endpoint]:
        """Every address that is offered."""
        return self._api.rows

    def change(self, configuration: Configuration) -> None:
        """Take what a reload brings: keys and people count from now on, also for who listens already."""
        self._configuration, settings = configuration, configuration.settings
        now = settings.listeners.http
        self._people.change(configuration, () if now is None else now.proxies)
        self._pages.change(settings.pages.frames, _phone_servers(configuration))
        if now is not None and (now.host, now.port) == (self._address.host, self._address.port):
            self._api.change(_hosts(now))

    async def close(self) -> None:
        """End every connection, and what works behind."""
        if self._renewing is not None:
            self._renewing.cancel()
        await self._api.stop()
        await self._repeats.close()
        await self._contacts.close()
        await self._reports.close()
        await self._people.close()
        await self._decisions.close()
        await self._sip.close()
        await self._passwords.close()
        await self._calls.close()


def _new_call_id() -> str:
    return uuid7(time.time(), secrets.randbits(74))


def _phone_servers(configuration: Configuration) -> Sequence[str]:
    """Return where telephones in the page connect."""
    return sorted({pbx.keys.sip.server for pbx in configuration.pbxs.values() if pbx.keys.sip is not None})


class _SiteInForce:
    """What is in force, and how it is doing, as `SiteApi` asks for it."""

    def __init__(self, calls: FollowedCalls, configuration: Callable[[], Configuration], book: CallBook) -> None:
        self._calls, self._configuration, self._book = calls, configuration, book

    def users(self) -> Mapping[str, User]:
        """Return the people, by their keys."""
        return self._configuration().people.users

    def pbxs(self) -> Mapping[str, tuple[bool, int]]:
        """Return of each PBX whether it is connected, and how many calls are under way there."""
        names = self._configuration().pbxs
        told = {name: self._calls.commands(name) for name in names}
        return {
            name: (commands is not None and commands.reachable, len(self._book.open_calls(name)))
            for name, commands in told.items()
        }

    def look(self, lane: str) -> None:
        """Have a lane of deliveries look for what is due now."""
        self._calls.look(lane)


def _files_of(settings: EngineSettings) -> CertificateFiles | None:
    http, folder = settings.listeners.http, settings.folder
    if http is None or http.tls is None:
        return None
    return CertificateFiles(folder / http.tls.certificate, folder / http.tls.key)


def _tell_certificate(fault: str) -> None:
    if fault:
        _log.error("listener.certificate_refused", listener="http", why=fault)
    else:
        _log.info("listener.certificate", listener="http")


def _hosts(address: ListenerAddress) -> AccessList:
    return AccessList.of(address.host, address.allow, address.secret)
