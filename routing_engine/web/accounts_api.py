"""`/v1/accounts`: people connect their own accounts in CRMs, see how they are, and take them away again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from routing_engine.calls.as_json import JsonObject, JsonValue, moment
from routing_engine.calls.own_accounts import AccountState
from routing_engine.desk.accounts import ON_THE_WAY_S, OwnAccounts
from routing_engine.desk.site import DeskSite
from routing_engine.errors import DeskRefused, ProviderError
from routing_engine.logger import Logger
from routing_engine.settings.people import User
from routing_engine.web.contacts_api import of_provider
from routing_engine.web.endpoints import TEXT, Endpoint, Gives, has, listed, or_null
from routing_engine.web.people_api import need_person
from routing_engine.web.requests import ApiAnswer, ApiError, ApiRequest
from routing_engine.web.sessions import cookie_of, set_cookie

#: What a browser shows that has left for a vendor's page.
_COOKIE = "account"
_BACK = "/v1/accounts/back"
#: Where people see their accounts.
_SETTINGS = "/settings"
_ACCOUNT = or_null(has({"state": TEXT, "expires_at": or_null(TEXT)}))
_ACCOUNTS = has({"accounts": listed(has({"integration": TEXT, "title": TEXT, "account": _ACCOUNT}))})
_LIST = "List the systems in which one can have an account of the own, and how each is."
_CONNECT = "Begin to connect an account: open the address. What one writes from then on is written in the own name."
_DISCONNECT = "Take an account away again: its tokens are deleted here."
_RETURN = "Where a vendor's page sends people back to."
_log = Logger()


class AccountsApi:
    """`site` is what is in force, `address` where people find the pages, "" where nobody has said it."""

    def __init__(self, accounts: OwnAccounts, site: Callable[[], DeskSite], address: Callable[[], str]) -> None:
        self._accounts, self._site, self._address = accounts, site, address

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        one, gone = "/v1/accounts/{integration}", (Gives("it is gone", None, 204, ""),)
        address, back = (Gives("open it", has({"address": TEXT})),), (Gives("back to the pages", None, 303, ""),)
        leads = (Gives("the accounts", _ACCOUNTS),)
        return (
            Endpoint("GET", "/v1/accounts", "person", self._list, _LIST, gives=leads),
            # Before the row with a value in it: nobody has an integration that is called so here.
            Endpoint("GET", _BACK, None, self._come_back, _RETURN, gives=back, any_query=True),
            Endpoint("POST", one, "person", self._connect, _CONNECT, gives=address, refuses=(404, 502, 503)),
            Endpoint("DELETE", one, "person", self._disconnect, _DISCONNECT, gives=gone, refuses=(404, 502, 503)),
        )

    async def of(self, user: User) -> dict[str, JsonObject | None]:
        """Return how the accounts of a person are, by integration."""
        return {name: account_json(state) for name, state in (await self._accounts.states(user)).items()}

    async def _list(self, request: ApiRequest) -> ApiAnswer:
        site = self._site()
        found: list[JsonValue] = [
            {"integration": name, "title": site.title(name), "account": account}
            for name, account in (await self.of(need_person(request.actor))).items()
        ]
        return ApiAnswer({"accounts": found})

    async def _connect(self, request: ApiRequest) -> ApiAnswer:
        user, integration = need_person(request.actor), request.path["integration"]
        try:
            address, browser = await self._accounts.connect(user, integration, self._own(request) + _BACK)
        except DeskRefused as error:
            raise ApiError(404, error.code, error.message, error.remedy) from None
        except ProviderError as error:
            raise of_provider(error) from None
        # Lax: the way back begins on the vendor's page, from where a browser sends no stricter one.
        cookie = set_cookie(_COOKIE, browser, ON_THE_WAY_S, request.peer.secure, "Lax")
        return ApiAnswer({"address": address}, cookies=(cookie,))

    async def _come_back(self, request: ApiRequest) -> ApiAnswer:
        secure = request.peer.secure
        browser = cookie_of(request.headers, _COOKIE, secure)
        try:
            integration, user = await self._accounts.come_back(request.query, browser)
            _log.info("account.connected", user=user, integration=integration)
            said = {"account": integration, "result": "connected"}
        except DeskRefused as error:
            said = {"result": error.code}
        except ProviderError as error:
            _log.warning("account.not_connected", why=str(error)[:200])
            said = {"result": "failed"}
        # What came is in the address of the vendor's answer: it goes no further than here.
        leads = {"Location": f"{_SETTINGS}?{urlencode(said)}", "Referrer-Policy": "no-referrer"}
        return ApiAnswer({}, 303, leads, cookies=(set_cookie(_COOKIE, "", 0, secure, "Lax"),))

    async def _disconnect(self, request: ApiRequest) -> ApiAnswer:
        user, integration = need_person(request.actor), request.path["integration"]
        try:
            await self._accounts.disconnect(user, integration)
        except DeskRefused as error:
            raise ApiError(404, error.code, error.message, error.remedy) from None
        except ProviderError as error:
            raise of_provider(error) from None
        _log.info("account.disconnected", user=user.key, integration=integration)
        return ApiAnswer({}, 204)

    def _own(self, request: ApiRequest) -> str:
        """Return the address of the pages: the one that is written, else what the person's own request says."""
        scheme = "https" if request.peer.secure else "http"
        return self._address() or f"{scheme}://{request.headers.get('Host', 'localhost')}"


def account_json(state: AccountState | None) -> JsonObject | None:
    """Return an account as it is shown."""
    return None if state is None else {"state": state.state, "expires_at": moment(state.expires_at)}
