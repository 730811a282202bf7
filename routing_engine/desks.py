"""What those who take calls have to do with, out of the configuration in force: who writes records, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from routing_engine.calls.call import Call
from routing_engine.calls.own_accounts import OwnAccount
from routing_engine.calls.ports import CallLog, EntryUser
from routing_engine.contacts import ContactMatcher, ContactModel, contact_models
from routing_engine.delivery.call_log_target import CallLogTarget
from routing_engine.desk.own_account import PersonalDesk, PersonalLog
from routing_engine.desk.pops import Screens
from routing_engine.desk.site import DeskSite, Writer
from routing_engine.engine import ActiveConfig, own_accounts, record_desks, screens
from routing_engine.errors import ProviderUnreachable
from routing_engine.lookup.limited_log import LimitedCallLog, LimitedRecordDesk
from routing_engine.settings.people import User, phone_parts


class Desks:
    """`active` is what is in force, `targets` what writes calls, by integration."""

    def __init__(self, active: Callable[[], ActiveConfig], targets: Callable[[], Mapping[str, CallLogTarget]]) -> None:
        self._active, self._targets = active, targets
        self._screens: tuple[ActiveConfig, Screens] | None = None
        self._made: tuple[ActiveConfig, DeskSite] | None = None

    def site(self) -> DeskSite:
        """Return the site as it is in force."""
        active = self._active()
        # Of a configuration that is gone the connections are closed.
        if self._made is None or self._made[0] is not active:
            configuration, desks = active.configuration, record_desks(active)
            matcher = matcher_of(active)
            self._made = (
                active,
                DeskSite(configuration.integrations, matcher, configuration.users, desks.get, self._writer),
            )
        return self._made[1]

    def unknown_caller(self, user_key: str) -> tuple[User, ContactModel] | None:
        """Return what is created for unknown callers of a person, and in whose name; None for nothing."""
        people = self._active().configuration.people
        user = people.users.get(user_key)
        if user is None:
            return None
        group = people.group_of(user)
        integration, dot, model = group.unknown_caller.partition(".")
        # Asked again, and not only when the file is read: a right that is taken away counts at once.
        if not dot or "create" not in group.models.get(group.unknown_caller, frozenset()):
            return None
        return user, ContactModel(integration, model)

    def asked_by_route(self, call: Call) -> tuple[str, ...]:
        """Return the integrations that the call's route has asked for this number: they said that nobody has it."""
        route = call.route and self._active().configuration.routes.get(call.route.name)
        if not route or call.route is None or call.route.reason != "no_record":
            return ()
        return tuple(source.integration for source in route.sources if source.by_caller)

    def accounts_of(self, user: User) -> Mapping[str, OwnAccount]:
        """Return the accounts in CRMs that a person can have, by integration."""
        # Somebody else who gets the same key one day gets no account with it.
        return own_accounts(self._active(), user.key, user.email.casefold())

    def own_log(self, integration: str, user_key: str | None, usual: CallLog) -> CallLog:
        """Return what writes the entries of a person's calls."""
        active = self._active()
        user = active.configuration.users.get(user_key or "")
        account = self.accounts_of(user).get(integration) if user is not None else None
        own = account.call_log() if account is not None else None
        if user is None or account is None or own is None:
            return usual
        limited = LimitedCallLog(own, active.limiters[integration])
        return PersonalLog(account, limited, usual, f"{user.key} in {integration}")

    def screens(self) -> Screens:
        """Return the systems that show calls to their people."""
        active = self._active()
        if self._screens is None or self._screens[0] is not active:
            self._screens = active, Screens(screens(active), self._person)
        return self._screens[1]

    async def _person(self, integration: str, user_key: str) -> EntryUser:
        return await self._owner(integration, self._active().configuration.users.get(user_key))

    async def _writer(self, integration: str, user: User | None) -> Writer | None:
        desk, active = self.site().desk_of(integration), self._active()
        if desk is None:
            return None
        account = self.accounts_of(user).get(integration) if user is not None else None
        own = account.record_desk() if account is not None else None
        if user is not None and account is not None and own is not None:
            limited = LimitedRecordDesk(own, active.limiters[integration])
            desk = PersonalDesk(account, limited, desk, f"{user.key} in {integration}")
        return Writer(desk, await self._owner(integration, user))

    async def _owner(self, integration: str, user: User | None) -> EntryUser:
        if user is None:
            return EntryUser()
        extension = next((phone_parts(phone)[1] for phone in user.phones), "")
        known = EntryUser(user.crm.get(integration, ""), extension, user.name, user.email)
        target = self._targets().get(integration)
        if known.id or target is None:
            return known
        try:
            return await target.person(user, extension)
        except ProviderUnreachable:
            return known  # whose it is worth less than the record; that it is down shows at once


def matcher_of(active: ActiveConfig) -> ContactMatcher:
    """Return what looks for other parties."""
    settings = active.configuration.settings
    models = {name: one.models for name, one in active.configuration.integrations.items()}
    return ContactMatcher(active.lookup, contact_models(models, settings.match_order), settings.region)
