"""The five ways to a decision: an example, `run-test` with canned and with real records, Asterisk, and `call`."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from aiohttp import web

from routing_engine.channels.agi.channel import AgiChannel
from routing_engine.channels.agi.server import AgiServer, AgiSettings
from routing_engine.channels.softphone import Softphone, SoftphoneCaller
from routing_engine.cli import main
from routing_engine.cli.run_test import as_json
from routing_engine.config.store import Configuration
from routing_engine.core.destinations import variables
from routing_engine.core.model import Decision
from routing_engine.engine import activate, new_call, open_store
from routing_engine.lookup.cache import Cache
from routing_engine.rehearsal import DryRun, run_examples
from tests.fakes import Asterisk

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
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _answer(self, request: web.Request) -> web.Response:
        answer = self.answers.get(f"source {request.match_info['source']}", "none")
        if isinstance(answer, str):
            return web.Response(status=404 if answer == "none" else 500)
        return web.json_response(answer)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def as_yaml(value: object) -> str:
    """Return YAML without the aliases that PyYAML writes for what stands there twice."""
    return yaml.safe_dump(json.loads(json.dumps(value)))


def write(folder: Path, call: Call, port: int) -> Path:
    """Write the configuration of a call, its example in it; give the file of its canned records."""
    for name in ("integrations", "routes"):
        (folder / name).mkdir()
    (folder / "engine.yaml").write_text(as_yaml({**call.engine, "listeners": {"fastagi": "127.0.0.1:1"}}))
    for number in range(len(call.answers)):
        text = as_yaml({**call.crm, "address": f"http://127.0.0.1:{port}/{number}"})
        (folder / "integrations" / f"crm{number}.yaml").write_text(text)
    (folder / "routes" / "support.yaml").write_text(as_yaml({**call.route, "examples": [call.example()]}))
    canned = folder / "canned.json"
    canned.write_text(json.dumps(call.answers))
    return canned


def run_test(folder: Path, call: Call, *more: str) -> dict[str, Any]:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(io.StringIO()) as said:
        main(["run-test", "support", "--json", "--config", str(folder), *call.arguments(), *more])
    assert shown.getvalue(), said.getvalue()
    return dict(json.loads(shown.getvalue()))


def of_example(found: Configuration) -> dict[str, Any]:
    return shown(found, run_examples(found)["support"][0])


def shown(found: Configuration, decision: Decision) -> dict[str, Any]:
    given = variables(decision, "x", found.settings.dialplan.places)
    return dict(json.loads(json.dumps(as_json(DryRun(decision, given, ())))))


async def live(found: Configuration, call: Call) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Call the engine as Asterisk and as `call` do; give the decision of the first, and what both were told."""
    active = activate(None, found, Cache(10))
    decisions: list[Decision] = []

    async def carry(channel: AgiChannel) -> None:
        decisions.append(await new_call(channel, active.lookup, found, _raise).run(channel.route))

    server = AgiServer(carry, AgiSettings(found.settings.region, lambda: call.moment))
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
    for part in active.parts:
        await part.close()
    assert len(decisions) == 2
    return shown(found, decisions[0]), asterisk.variables, softphone.variables


def _raise(error: Exception) -> None:
    raise error


def functions(call: Call) -> dict[str, str]:
    return {f"DEVICE_STATE(PJSIP/{name[7:]})": state.upper() for name, state in call.states.items()}


def as_asterisk(call: Call) -> Asterisk:
    known = {name: quote(value, safe="") for name, value in {**call.variables, **functions(call)}.items()}
    tries, keys = [re.sub(r"[^0-9*#]", "", typed) for typed in call.inputs], list[str]()
    if call.ahead:
        keys, tries[0] = [f"{ord(tries[0][0])} endpos=1280"], tries[0][1:]
    return Asterisk(keys=keys, tries=tries or [""], known=known)


def environment(call: Call) -> dict[str, str]:
    withheld = call.caller.lower() == "anonymous"
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
        wanted = decision_of(of_example(found))
        records = [f"--records={canned}"] if call.answers else []
        assert decision_of(run_test(Path(place), call, *records)) == wanted, "run-test --records"
        assert decision_of(run_test(Path(place), call)) == wanted, "run-test with real records"
        decision, asterisk, softphone = asyncio.run(live(found, call))
        ahead = {"trail": None} if call.ahead else {}
        assert {**decision_of(decision), **ahead} == {**wanted, **ahead}, "a live call"
        assert told_of(asterisk) == wanted["variables"], "Asterisk"
        assert told_of(softphone) == wanted["variables"], "call"
        return wanted
