"""People's own accounts, on a CRM of this machine that knows who writes: connect, write, end, and who attacks it."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web

from routing_engine.calls.own_accounts import AccountState, OwnAccount
from routing_engine.calls.ports import EntryUser, LogEntry, RecordDesk
from routing_engine.desk.accounts import ON_THE_WAY_S, OwnAccounts
from routing_engine.desk.own_account import PersonalDesk, PersonalLog
from routing_engine.errors import DeskRefused, ProviderRefused
from routing_engine.providers.crm.provider import CrmProvider
from routing_engine.settings.people import User
from tests.fakes import FakeClock
from tests.providers.crm.contract import Open, OpensCrm
from tests.providers.crm.standin import Asked
from tests.providers.crm.test_calls_salesforce import SalesforceWithCalls

pytestmark = pytest.mark.io

ANNA, BERND = User("anna", "Anna", "anna@example.com"), User("bernd", "Bernd", "bernd@example.com")
BACK = "https://calls.example.com/v1/accounts/back"
MAX = {"name": "Max Neu", "phone": "+436649998877"}


@dataclass
class KnowsPeople(SalesforceWithCalls):
    """Each code becomes a token of its person, and who asks is written down; `ended` are people who took it back."""

    by: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    challenges: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def give_token(self, asked: Asked) -> web.Response:
        form = asked.form
        if form["grant_type"] == "refresh_token" and not form["refresh_token"].startswith("of-"):
            return super().give_token(asked)
        who = form.get("code", "").removeprefix("code-") or form.get("refresh_token", "").removeprefix("of-")
        if who in self.ended:
            return web.json_response({"error": "invalid_grant"}, status=400)
        if form["grant_type"] == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == self.challenges.pop(who)
        token = f"token-{who}-{len(self.tokens)}"
        self.tokens[token] = who
        return web.json_response({**self.token_answer(), "access_token": token, "refresh_token": f"of-{who}"})

    def authorized(self, asked: Asked) -> bool:
        who = self.tokens.get(asked.headers.get("Authorization", "").removeprefix("Bearer "))
        if asked.method != "GET":
            self.by.append(who or "engine")
        return (who is not None and who not in self.ended) or (who is None and super().authorized(asked))


class TestAccounts(OpensCrm):
    provider = "salesforce"
    standin = KnowsPeople
    integration = """
server: ADDRESS
auth:
  oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}'}
"""

    def accounts(self, crm: Open, clock: FakeClock | None = None) -> OwnAccounts:
        assert isinstance(crm.standin, KnowsPeople)
        return OwnAccounts(lambda user: {"crm": self.account(crm, user)}, clock or FakeClock())

    def account(self, crm: Open, user: User) -> OwnAccount:
        assert isinstance(crm.provider, CrmProvider)
        found = crm.provider.account(user.key, user.email)
        assert found is not None
        return found

    def desk(self, crm: Open, user: User) -> RecordDesk:
        assert isinstance(crm.provider, CrmProvider)
        account, usual = self.account(crm, user), crm.provider.record_desk()
        own = account.record_desk()
        assert own is not None
        assert usual is not None
        return PersonalDesk(account, own, usual, user.key)

    def at_the_vendor(self, crm: Open, address: str, who: str) -> dict[str, str]:
        """A person logs in on the vendor's page: what the browser comes back with."""
        query = dict(parse_qsl(urlsplit(address).query))
        assert isinstance(crm.standin, KnowsPeople)
        crm.standin.challenges[who] = query["code_challenge"]
        assert query["redirect_uri"] == BACK
        return {"code": f"code-{who}", "state": query["state"]}

    async def connect(self, crm: Open, accounts: OwnAccounts, user: User) -> None:
        address, browser = await accounts.connect(user, "crm", BACK)
        assert await accounts.come_back(self.at_the_vendor(crm, address, user.key), browser) == ("crm", user.key)

    def written_by(self, crm: Open) -> list[str]:
        assert isinstance(crm.standin, KnowsPeople)
        return crm.standin.by

    async def test_who_has_connected_writes_in_the_own_name_and_others_through_the_engine(self, crm: Open) -> None:
        accounts = self.accounts(crm)
        await self.connect(crm, accounts, ANNA)
        await self.desk(crm, ANNA).create("contact", MAX, EntryUser("9"))
        await self.desk(crm, BERND).create("contact", MAX, EntryUser("10"))
        assert self.written_by(crm) == ["anna", "engine"]
        assert [body["OwnerId"] for body in self.sent(crm)] == ["9", "10"]

    def sent(self, crm: Open) -> list[Mapping[str, object]]:
        return [asked.json for asked in crm.standin.asked if asked.method == "POST"]

    async def test_the_state_of_an_account_is_told(self, crm: Open) -> None:
        accounts = self.accounts(crm)
        assert await accounts.states(ANNA) == {"crm": None}
        await self.connect(crm, accounts, ANNA)
        assert await accounts.states(ANNA) == {"crm": AccountState("connected")}
        assert await accounts.states(BERND) == {"crm": None}

    async def test_who_disconnects_leaves_nothing_on_the_disk_or_in_memory(self, crm: Open, tmp_path: Path) -> None:
        accounts = self.accounts(crm)
        await self.connect(crm, accounts, ANNA)
        desk = self.desk(crm, ANNA)
        await desk.create("contact", MAX)
        await accounts.disconnect(ANNA, "crm")
        await self.desk(crm, ANNA).create("contact", MAX)
        assert self.written_by(crm) == ["anna", "engine"]
        assert list(tmp_path.rglob("crm@anna")) == []

    async def test_a_log_in_that_was_taken_back_falls_back_to_the_engine_and_says_so(self, crm: Open) -> None:
        accounts = self.accounts(crm)
        await self.connect(crm, accounts, ANNA)
        assert isinstance(crm.standin, KnowsPeople)
        crm.standin.ended.add("anna")
        await self.desk(crm, ANNA).create("contact", MAX)
        assert self.written_by(crm)[-1] == "engine"
        assert await accounts.states(ANNA) == {"crm": AccountState("ended")}

    async def test_what_is_refused_to_the_person_is_not_done_with_the_engines_rights(self, crm: Open) -> None:
        accounts = self.accounts(crm)
        await self.connect(crm, accounts, ANNA)
        crm.standin.nexts.append(lambda: crm.standin.refusal(403))
        with pytest.raises(ProviderRefused):
            await self.desk(crm, ANNA).create("contact", MAX)
        assert self.written_by(crm) == ["anna"]

    async def test_the_entry_of_a_call_is_in_the_name_of_who_took_it(self, crm: Open) -> None:
        accounts = self.accounts(crm)
        await self.connect(crm, accounts, ANNA)
        assert isinstance(crm.provider, CrmProvider)
        usual = crm.provider.call_log()
        entry = LogEntry("c1", "inbound", "Call", "text", 1.0, "answered", duration_s=5.0, user=EntryUser("9"))
        assert usual is not None
        for user in (ANNA, BERND):
            own = self.account(crm, user).call_log()
            assert own is not None
            made = await PersonalLog(self.account(crm, user), own, usual, user.key).log(entry)
            await PersonalLog(self.account(crm, user), own, usual, user.key).update(entry, made.id)
        assert self.written_by(crm) == ["anna", "anna", "engine", "engine"]

    # Attacks

    async def test_another_browser_cannot_end_a_log_in(self, crm: Open) -> None:
        """Bernd lures Anna to his address: with her log-in at the vendor she would be connected as Bernd."""
        accounts = self.accounts(crm)
        address, _ = await accounts.connect(BERND, "crm", BACK)
        _, of_anna = await accounts.connect(ANNA, "crm", BACK)
        for browser in ("", "guess", of_anna):
            with pytest.raises(DeskRefused, match="no log-in of this browser"):
                await accounts.come_back(self.at_the_vendor(crm, address, "anna"), browser)
        assert await accounts.states(BERND) == {"crm": None}

    async def test_an_answer_counts_once_and_not_for_ever(self, crm: Open) -> None:
        clock = FakeClock()
        accounts = self.accounts(crm, clock)
        address, browser = await accounts.connect(ANNA, "crm", BACK)
        answer = self.at_the_vendor(crm, address, "anna")
        await accounts.come_back(answer, browser)
        with pytest.raises(DeskRefused):
            await accounts.come_back(answer, browser)
        address, browser = await accounts.connect(BERND, "crm", BACK)
        clock.now_s += ON_THE_WAY_S + 1
        with pytest.raises(DeskRefused, match="ten minutes"):
            await accounts.come_back(self.at_the_vendor(crm, address, "bernd"), browser)

    async def test_tokens_that_are_copied_to_another_name_are_nobodys(self, crm: Open, tmp_path: Path) -> None:
        accounts = self.accounts(crm)
        await self.connect(crm, accounts, ANNA)
        (kept,) = tmp_path.rglob("crm@anna")
        shutil.copy(kept, kept.with_name("crm@bernd"))
        assert await accounts.states(BERND) == {"crm": AccountState("ended")}
        await self.desk(crm, BERND).create("contact", MAX)
        assert self.written_by(crm) == ["engine"]

    async def test_somebody_else_with_the_same_key_has_not_the_account(self, crm: Open) -> None:
        accounts = self.accounts(crm)
        await self.connect(crm, accounts, ANNA)
        heir = replace(ANNA, name="Andrea", email="andrea@example.com")
        assert await accounts.states(heir) == {"crm": AccountState("ended")}
        await self.desk(crm, heir).create("contact", MAX)
        assert self.written_by(crm) == ["engine"]

    async def test_the_engines_own_log_in_is_no_persons(self, crm: Open, tmp_path: Path) -> None:
        await crm.caller("+43 664 1234567")
        (kept,) = [one for one in tmp_path.rglob("crm") if one.parent.name == "tokens"]
        shutil.copy(kept, kept.with_name("crm@anna"))
        await self.desk(crm, ANNA).create("contact", MAX)
        accounts = self.accounts(crm)
        assert await accounts.states(ANNA) == {"crm": AccountState("ended")}

    async def test_no_secret_is_in_a_message_or_in_the_files(self, crm: Open, tmp_path: Path) -> None:
        accounts = self.accounts(crm)
        await self.connect(crm, accounts, ANNA)
        kept = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
        assert b"token-anna" not in kept
        assert b"of-anna" not in kept
        address, browser = await accounts.connect(BERND, "crm", BACK)
        said_no = {"state": self.at_the_vendor(crm, address, "bernd")["state"], "error": "access_denied"}
        with pytest.raises(ProviderRefused) as caught:
            await accounts.come_back(said_no, browser)
        assert "shh" not in str(caught.value)


async def test_without_oauth_there_is_no_own_account() -> None:
    accounts = OwnAccounts(lambda _: {}, FakeClock())
    with pytest.raises(DeskRefused) as caught:
        await accounts.connect(ANNA, "erp", BACK)
    assert caught.value.code == "no_accounts"
