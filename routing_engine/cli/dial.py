"""`routing-engine dial`: let a user's phone ring, then call a number; over the API of the running service."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from routing_engine.calls.as_json import JsonObject
from routing_engine.cli.common import misuse, paint, print_json
from routing_engine.config.engine_yaml import load_part
from routing_engine.core.redact import escaped
from routing_engine.errors import CommandRefused, ConfigError
from routing_engine.settings.api import Program, keys_in_force
from routing_engine.settings.environment import variable_of
from routing_engine.settings.listeners import ListenerAddress

if TYPE_CHECKING:  # late: what asks
    import aiohttp

_LOOK_AGAIN_S = 0.5
_ANSWER_S = 15.0
#: Who listens everywhere is reached on this machine.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_REMEDY = "add to engine.yaml: api_keys: {desk: {key: '${DESK_KEY}', may: [dial, calls.read]}}"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("user", metavar="USER", help="whose phone rings first: a key of users.yaml")
    parser.add_argument("number", metavar="NUMBER", help="whom to call")
    parser.add_argument("--phone", metavar="PHONE", help="which of the user's phones, such as main/201")
    parser.add_argument("--caller-id", metavar="NUMBER", help="the number of ours that is shown")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the end; Ctrl-C then hangs up nothing")
    parser.add_argument("--json", action="store_true", help="print the call, for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Dial; 1 when it is refused, or the call was not answered, 2 when no key of the folder may dial."""
    settings, problems = load_part(options.config, ("listeners", "api_keys"), partial(variable_of, options.config))
    if problems:
        raise ConfigError(problems)
    key = _key_of(keys_in_force(settings.api_keys))
    if settings.listeners.http is None:
        return misuse("engine.yaml opens no listener 'http'; add listeners: {http: 127.0.0.1:8473}")
    if key is None:
        return misuse(f"no key of engine.yaml may dial; {_REMEDY}")
    return asyncio.run(_Telephone(settings.listeners.http, key, options).dial())


def _key_of(keys: tuple[Program, ...]) -> Program | None:
    """Return the key to use: one that may dial, and before others one that may also look how it goes on."""
    able = [one for one in keys if "dial" in one.may]
    return max(able, key=lambda one: "calls.read" in one.may, default=None)


class _Telephone:
    """One call, from the first ring to its end."""

    def __init__(self, address: ListenerAddress, key: Program, options: argparse.Namespace) -> None:
        host = _EVERYWHERE.get(address.host, address.host)
        scheme = "http" if address.tls is None else "https"
        self._url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{address.port}"
        self._trust = None if address.tls is None else _trust(options.config / address.tls.certificate)
        self._key, self._options = key, options
        self._sees = "calls.read" in key.may and not options.no_wait
        self._session: aiohttp.ClientSession

    async def dial(self) -> int:
        """Let it ring; return the exit code."""
        import aiohttp  # late: `dial --help` needs none

        headers = {"Authorization": f"Bearer {self._key.key}"}
        timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
        line = aiohttp.TCPConnector() if self._trust is None else aiohttp.TCPConnector(ssl=self._trust)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=line) as self._session:
            try:
                call = await self._begin()
                if self._sees:
                    call = await self._follow(call)
            except CommandRefused as error:
                print(f"routing-engine: {escaped(str(error))}", file=sys.stderr)
                return 1
            except (aiohttp.ClientError, TimeoutError) as error:
                sentence = f"the engine at {self._url} does not answer ({type(error).__name__}); is it running?"
                print(f"routing-engine: {sentence}", file=sys.stderr)
                return 1
        if self._options.json:
            print_json(call)
        return 0 if call["state"] != "ended" or call["outcome"] == "answered" else 1

    async def _begin(self) -> JsonObject:
        options = self._options
        wish = {"user": options.user, "to": options.number, "phone": options.phone, "caller_id": options.caller_id}
        # A request that is sent again by what lies between us and the engine rings once.
        call = await self._ask("POST", "/v1/calls", wish, {"Idempotency-Key": str(uuid.uuid4())})
        self._say(call, f"the phone of {options.user} rings, then {call['to']} is called ({call['id']})")
        return call

    async def _follow(self, call: JsonObject) -> JsonObject:
        """Tell how the call goes on, to its end; whoever interrupts hangs up."""
        try:
            while call["state"] != "ended":
                await asyncio.sleep(_LOOK_AGAIN_S)
                before, call = call["state"], await self._ask("GET", f"/v1/calls/{call['id']}")
                if call["state"] not in (before, "ended"):
                    self._say(call, str(call["state"]))
        except asyncio.CancelledError:
            await asyncio.shield(self._ask("POST", f"/v1/calls/{call['id']}/hangup", {}))
            raise
        colour = "good" if call["outcome"] == "answered" else "bad"
        self._say(call, paint(_how(call), colour))
        return call

    async def _ask(
        self, method: str, path: str, body: JsonObject | None = None, more: Mapping[str, str] | None = None
    ) -> JsonObject:
        async with self._session.request(method, self._url + path, json=body, headers=more) as answer:
            found: JsonObject = await answer.json()
        error = found.get("error")
        if isinstance(error, dict):
            raise CommandRefused(*(str(error.get(name, "")) for name in ("code", "message", "remedy")))
        return found

    def _say(self, call: JsonObject, sentence: str) -> None:
        if not self._options.json:
            print(escaped(sentence) if call["state"] != "ended" else sentence, flush=True)


def _trust(certificate: Path) -> ssl.SSLContext:
    """Return what believes the certificate of this folder and no other one, whatever name it was made for."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False  # we are on its machine, and its name may lead around a proxy
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _how(call: JsonObject) -> str:
    """Return how a call came out: by its outcome, and where nobody answered here by the user's own phone."""
    legs = call["legs"]
    own = legs[0].get("result") if isinstance(legs, list) and legs and isinstance(legs[0], dict) else None
    if call["outcome"] == "answered":
        return f"answered, {round(float(str(call['talk_s'] or 0)))} s"
    if own in ("busy", "declined", "no_answer"):
        return f"{call['outcome']}: the user's own phone says {str(own).replace('_', ' ')}"
    return f"{call['outcome']} (cause {call['cause']})"
