"""The conversation with a described system: credentials, one request, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

from aiohttp import ClientSession
from yarl import URL

from routing_engine.core.model import Json
from routing_engine.core.ports import Clock
from routing_engine.errors import ProviderMisread, ProviderRefused
from routing_engine.providers.answers.not_json import not_json
from routing_engine.providers.answers.values import aside
from routing_engine.providers.crm.login import LoginSession
from routing_engine.providers.crm.model import RequestStep
from routing_engine.providers.crm.outcome import content_type, failure, outcome_of, read_body
from routing_engine.providers.crm.records import ReadAnswer
from routing_engine.providers.crm.requests import BuiltRequest, OutcomeRule, RequestTemplate, names_captured
from routing_engine.providers.crm.settings import CrmSettings
from routing_engine.providers.crm.templates import Scope
from routing_engine.providers.net.credential import Credential, FixedCredential, ask_with
from routing_engine.providers.net.http_client import HttpAnswer, HttpClient
from routing_engine.providers.net.lean_request import Body
from routing_engine.providers.net.upload import FileBody, Open
from routing_engine.providers.oauth.client import may_be_asked
from routing_engine.providers.oauth.refresh import open_credential

_ERROR_BYTES = 65_536
#: What a system answers to those who may not ask.
_NO_RIGHT = frozenset({401, 403})
#: An answer that means "nobody was found".
NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})


class Attached(NamedTuple):
    """A file that a body holds where its marks are: `raw` for its bytes, `encoded` for their Base64."""

    raw: str
    encoded: str
    open: Open
    size: int

    def body(self, written: bytes) -> Body:
        """Return a body with the file in it; the bytes themselves where they have no mark."""
        raw, encoded = self.raw.encode(), self.encoded.encode()
        return (
            FileBody(written, raw, encoded, self.open, self.size) if raw in written or encoded in written else written
        )


class _Understood(NamedTuple):
    """An answer, its JSON, and the rule that says what it means."""

    answer: HttpAnswer
    tree: Json
    rule: OutcomeRule


def _is_refused(answer: _Understood) -> bool:
    return answer.rule.then == "login"


class CrmClient:
    """Sends the requests of one integration, with credentials that are fetched anew when they are refused."""

    def __init__(self, name: str, settings: CrmSettings, clock: Clock, store: str = "") -> None:
        # A person's own tokens lie under another name than those of the integration.
        self._name, self._settings, self._store = name, settings, store or name
        self._description = settings.description
        self._client = HttpClient(
            name, settings.tls, settings.connect_timeout_s, settings.max_answer_bytes, _ERROR_BYTES
        )
        self._carry = settings.way.carry if settings.way is not None else None
        self._credential = self._open(clock)
        #: The values that hold now, for addresses of records' pages.
        self.known: Mapping[str, str] = {}
        #: How many requests for data were sent.
        self.sent = 0
        #: The last status with which a right was missing, where the description reads it as "nobody"; 0 for none.
        self.denied = 0

    async def ask(self, request: RequestTemplate, scope: Scope) -> Json:
        """Send a request and return the answer's JSON, or `NOTHING`. Raise a `ProviderError` for every other answer."""
        return (await self.answer(request, scope)).tree

    async def answer(self, request: RequestTemplate, scope: Scope, link: str = "") -> ReadAnswer:
        """Do as `ask`, and return the headers too. `link` takes the place of the request's address."""

        async def send(values: Mapping[str, str]) -> _Understood:
            return await self._send(request, scope, values, link)

        found = await ask_with(self._credential, send, _is_refused)
        answer, tree, rule = found
        if rule.then == "no_record":
            self.denied = answer.status if answer.status in _NO_RIGHT and not request.rules else self.denied
            return ReadAnswer(NOTHING, answer.headers)
        if rule.then != "fine":
            raise failure(self._name, self._description, rule, answer, tree)
        # An empty body may be a good answer (an update); one that is not JSON is not.
        if tree is None and answer.body.strip() not in (b"", b"null"):
            raise not_json(self._name, answer.body, content_type(answer))
        return ReadAnswer(tree, answer.headers, len(answer.body))

    async def write(self, step: RequestStep, scope: Scope, file: Attached | None = None) -> ReadAnswer:
        """Send a request that changes something, never twice but where the credentials had run out.

        `file` is what its body's marks stand for. Raises a `ProviderError` for every answer that is not good.
        """

        async def send(values: Mapping[str, str]) -> _Understood:
            return await self._send(step.request, scope, values, "", file, asks=False)

        found = await ask_with(self._credential, send, _is_refused)
        answer, tree, rule = found
        # 204 is the answer to a change that went well; as one to a search it is nobody.
        if rule.then == "fine" or answer.status in step.fine or (rule.then == "no_record" and answer.status < 300):
            return ReadAnswer(tree, answer.headers, len(answer.body))
        if rule.then == "no_record":
            title = self._description.title
            raise ProviderRefused(f"{self._name}: {title} does not have it (any more), status {answer.status}", True)
        raise failure(self._name, self._description, rule, answer, tree)

    def show(self, request: RequestTemplate, scope: Scope) -> BuiltRequest:
        """Return a request as it would be sent, with the names of secrets in the place of secrets."""
        way = self._settings.way
        oauth = way.plan.capture if way is not None and way.plan is not None else ()
        login = [name for step in way.login for name, _ in step.capture] if way is not None else []
        # Whatever proves who we are, by its name: what is shown may stand in a ticket tomorrow.
        names = {*self._settings.given, *login, *(name for name, _ in oauth), *(["access_token"] if way else [])}
        scope = {**scope, "auth": {name: f"<{name}>" for name in names}}
        base = self._settings.address or self._description.address.text(scope)
        return request.build(scope, base, self._carry)

    def session(self) -> ClientSession:
        """Return what a log-in asks with."""
        return self._client.session()

    async def close(self) -> None:
        """Close what is open."""
        await self._credential.close()
        await self._client.close()

    async def _send(
        self,
        request: RequestTemplate,
        scope: Scope,
        values: Mapping[str, str],
        link: str,
        file: Attached | None = None,
        asks: bool = True,
    ) -> _Understood:
        # Kept for the addresses of records' pages, which may hold a captured server.
        self.known = {**self._settings.given, **values}
        built = self._build(request, {**scope, "auth": self.known}, link)
        self.sent += 1
        # Made for each try: the first one may have read half of the file.
        body = built.body if file is None or built.body is None else file.body(built.body)
        answer = await self._client.send(built.method, built.url, built.headers, body, asks=asks)
        tree = await aside(len(answer.body), partial(read_body, answer))
        return _Understood(answer, tree, outcome_of(self._description, request, answer, tree))

    def _build(self, request: RequestTemplate, scope: Scope, link: str) -> BuiltRequest:
        base = self._settings.address or self._description.address.text(scope)
        built = self._checked(request, request.build(scope, base, self._carry))
        return built._replace(url=self._followed(built.url, link)) if link else built

    def _checked(self, request: RequestTemplate, built: BuiltRequest) -> BuiltRequest:
        """Return a request whose address leads where it may; what a log-in captured is held to the hosts."""
        settings, url = self._settings, built.url
        if not url.host or url.scheme not in ("http", "https") or url.user is not None or url.password is not None:
            raise ProviderRefused(f"{self._name}: there is no address to ask; look at the integration's settings")
        relative = request.address.parts[:1] and str(request.address.parts[0]).startswith("/")
        text = self._description.address if relative else request.address
        own = bool(relative and settings.address)
        hosts = (*settings.hosts, *(settings.oauth.plan.hosts if settings.oauth is not None else ()))
        written = "".join(part for part in text.parts if isinstance(part, str))
        if not own and names_captured(text, settings.given) and not may_be_asked(url, written, hosts):
            raise ProviderRefused(f"{self._name}: what the log-in gave leads to a host that is not allowed")
        return built

    def _followed(self, url: URL, link: str) -> URL:
        """Return the address of a next page; one on another server is refused: our credentials would go there."""
        try:
            found = url.join(URL(link, encoded=True))
            # Scheme, host and port: `http` on the same host would send the token in the clear.
            same = found.origin() == url.origin() and found.user is None and found.password is None
        except ValueError:  # `javascript:` and `mailto:` have no origin
            raise ProviderMisread(f"{self._name}: the address of the next page cannot be used") from None
        if not same:
            raise ProviderRefused(f"{self._name}: the next page lies on another server, which is not followed")
        return found

    def _open(self, clock: Clock) -> Credential:
        way, settings = self._settings.way, self._settings
        first: Credential = FixedCredential(settings.given)
        if way is not None and settings.oauth is not None:
            first = open_credential(self._store, settings.oauth, self._client.session, clock)
        if way is None or not way.login:
            return first
        return LoginSession(self._name, settings, way, first, self._send_bare, clock)

    async def _send_bare(self, request: RequestTemplate, scope: Scope) -> HttpAnswer:
        """Send a request of the log-in itself, which carries nothing yet."""
        base = self._settings.address or self._description.address.text(scope)
        built = self._checked(request, request.build(scope, base))
        return await self._client.send(built.method, built.url, built.headers, built.body, asks=True)
