"""The five ways to a decision: an example, `run-test` with canned and with real records, Asterisk, and `call`."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import tempfile
import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from routing_engine.channels.agi.server import AgiServer
from routing_engine.channels.softphone import Softphone, SoftphoneCaller
from routing_engine.cli import main
from routing_engine.config.store import Configuration
from routing_engine.core.destinations import variables
from routing_engine.core.events import CallRouted
from routing_engine.core.model import Decision
from routing_engine.dry_run import decision_json
from routing_engine.engine import open_store
from routing_engine.event_bus import EventBus
from routing_engine.live_calls import LiveCalls
from routing_engine.rehearsal import DryRun, run_examples
from routing_engine.serving import agi_settings
from routing_engine.settings.listeners import FASTAGI
from tests.fakes import Asterisk

from .kept_in import pull_mirrors, write
from .one_call import Answer, Call


class Crm:
    """A real HTTP server in a thread of its own: what each integration answers to whatever is asked."""

    def __init__(self) -> None:
        self.answers: Mapping[str, Answer] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    async def _start(self) -> int:
        app = web.Application()
        app.router.add_get("/{source}", self._answer)
        app.router.add_get("/{source}/list", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _answer(self, request: web.Request) -> web.Response:
        answer = self.answers.get(f"source {request.match_info['source']}", "none")
        if request.path.endswith("/list"):
            return web.json_response([] if isinstance(answer, str) else answer)
        if isinstance(answer, str):
            return web.Response(status=404 if answer == "none" else 500)
        return web.json_response(answer)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def run_test(folder: Path, call: Call, *more: str) -> dict[str, Any]:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(io.StringIO()) as said:
        main(["run-test", "support", "--json", "--config", str(folder), *call.arguments(), *more])
    assert shown.getvalue(), said.getvalue()
    return dict(json.loads(shown.getvalue()))


def of_example(found: Configuration) -> dict[str, Any]:
    return shown(found, run_examples(found)["support"][0])


def shown(found: Configuration, decision: Decision) -> dict[str, Any]:
    given = variables(decision, "x", found.settings.places)
    return dict(json.loads(json.dumps(decision_json(DryRun(decision, given, ())))))


async def live(found: Configuration, call: Call) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Call the engine as Asterisk and as `call` do; give the decision of the first, and what both were told."""
    bus, decisions = EventBus(), list[Decision]()
    bus.subscribe_at_once(CallRouted, lambda event: decisions.append(event.decision))
    calls = LiveCalls(bus)
    calls.take(found)
    settings = agi_settings(found.settings, FASTAGI)
    server = AgiServer(calls.serve, replace(settings, now=lambda: call.moment))
    await server.listen("127.0.0.1", 0)
    port = int(server.addresses[0].rpartition(":")[2])
    asterisk = as_asterisk(call)
    await asterisk.call(port, **environment(call))
    typed = iter(call.inputs)

    async def keys() -> str:
        return next(typed, "")

    softphone = Softphone(lambda _: None, keys, known={**call.variables, **functions(call)})
    caller = SoftphoneCaller(call.caller, call.caller_name, call.called, call.language)
    await softphone.call("127.0.0.1", port, "support", caller)
    await server.stop(5)
    await calls.close()
    await bus.close(5)
    assert len(decisions) == 2
    return shown(found, decisions[0]), asterisk.variables, softphone.variables


_QUEUES = {"members": "QUEUE_MEMBER({},logged)", "free": "QUEUE_MEMBER({},free)", "waiting": "QUEUE_WAITING_COUNT({})"}
_SIGNED = "STIR_SHAKEN(count)", "STIR_SHAKEN(0,verify_result)", "STIR_SHAKEN(0,attestation)"


def functions(call: Call) -> dict[str, str]:
    """Return what the dialplan's functions tell of the call's states."""
    found = {}
    for name, state in call.states.items():
        kind, _, what = name.partition(".")
        if kind == "device":
            found[f"DEVICE_STATE(PJSIP/{what})"] = found[f"EXTENSION_STATE({what}@ext-local)"] = state.upper()
        elif kind == "queue":
            queue, _, figure = what.partition(".")
            found |= {f"QUEUE_EXISTS({queue})": "1", _QUEUES[figure].format(queue): state}
        else:
            told = {"none": ("0", "", ""), "failed": ("1", "invalid_signature", "A")}.get(
                state, ("1", "success", state)
            )
            found |= dict(zip(_SIGNED, told, strict=True))
    if call.last_agent is not None:
        found[f"DB(routing-engine-agent/{call.caller.replace(' ', '')})"] = f"{call.last_agent[0]},{call.last_agent[1]}"
    return found


def as_asterisk(call: Call) -> Asterisk:
    known = {name: quote(value, safe="") for name, value in {**call.variables, **functions(call)}.items()}
    tries, keys = [re.sub(r"[^0-9*#]", "", typed) for typed in call.inputs], list[str]()
    if call.ahead:
        keys, tries[0] = [f"{ord(tries[0][0])} endpos=1280"], tries[0][1:]
    return Asterisk(keys=keys, tries=tries or [""], known=known)


def environment(call: Call) -> dict[str, str]:
    withheld = call.caller.lower() in ("anonymous", "restricted")
    number, name = ("unknown", "unknown") if withheld else (call.caller, call.caller_name or "unknown")
    dialled = {"dnid": call.called or "unknown", "extension": call.called}
    about = {"language": call.language or "en", "callingpres": "32" if withheld else "0"}
    return {"network_script": "support", "callerid": number, "calleridname": name, **dialled, **about}


# ------------------------------------------------------------------------------------------------- what is compared


def decision_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return what must be alike: all but times, whose they are, and how an outage is worded."""
    steps = [(step["step"], re.sub("^down: .*", "down", step["outcome"])) for step in found["trail"]]
    # `run-test` says which prompts it does not find on this machine; the Asterisk here has them all.
    steps = [(name, re.sub("^to be played; .*", "played", outcome)) for name, outcome in steps]
    # Canned records have no age; what a mirror answers is as old as its index.
    steps = [(name, re.sub(r"snapshot, [0-9]+ s old(, )?", "", outcome).replace(" ()", "")) for name, outcome in steps]
    trail = [step for step in steps if step[0] != "caller" and step != ("prompt", "played")]
    told = told_of(found["variables"])
    # What `run-test` says beside the decision: that the folder is broken, what it took the call for.
    found = {name: value for name, value in found.items() if name not in ("last_good", "assumed")}
    return {**found, "trail": trail, "variables": told, "played": None}


def told_of(given: Mapping[str, str]) -> dict[str, str]:
    own = {"ROUTE_CALL_ID", "CHANNEL(language)", "TIMEOUT(absolute)"}
    return {name: value for name, value in given.items() if name not in own}


def check(call: Call, crm: Crm) -> dict[str, Any]:
    """Hold the five ways against each other; give the decision."""
    crm.answers = call.answers
    with tempfile.TemporaryDirectory() as place:
        canned = write(Path(place), call, crm.port)
        found = open_store(Path(place)).load(examples=False)
        asyncio.run(pull_mirrors(found))
        wanted = decision_of(of_example(found))
        records = [f"--records={canned}"] if call.answers else []
        same(wanted, decision_of(run_test(Path(place), call, *records)), "run-test --records")
        same(wanted, decision_of(run_test(Path(place), call)), "run-test with real records")
        decision, asterisk, softphone = asyncio.run(live(found, call))
        same(wanted, decision_of(decision), "a live call", but=["trail"] if call.ahead else [])
        same(wanted["variables"], told_of(asterisk), "Asterisk")
        same(wanted["variables"], told_of(softphone), "call")
        return wanted


def same(wanted: Mapping[str, Any], found: Mapping[str, Any], way: str, but: Collection[str] = ()) -> None:
    """Fail with what one way says otherwise than the example does."""
    names = [name for name in {**wanted, **found} if name not in but]
    other = {name: (wanted.get(name), found.get(name)) for name in names if wanted.get(name) != found.get(name)}
    assert not other, f"{way}: {other}"
