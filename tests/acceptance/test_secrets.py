"""Sensitive digits: a PIN stands in no file that a call leaves behind, and which switches of Asterisk change that.

What the how-to `sensitive-digits.md` says of Asterisk is proved here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from rig.asterisk import Asterisk
from rig.sip import Phone

from .middleware import Middleware
from .scenery import DIALPLAN, save_sounds
from .stage import House, Stage, hears

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

SETTINGS = "logging: {level: debug, numbers: plain}\n"
WAITS = "first_digit_timeout_s: 2, inter_digit_timeout_s: 1"
PIN = f"{{name: pin, prompt: menu, retry_prompt: retry, digits: {{min: 6, max: 8}}, sensitive: true, {WAITS}}}"
ROUTES = {
    "pin": f"inputs: [{{name: number, prompt: prompt, digits: {{min: 4, max: 4}}, {WAITS}}}, {PIN}]\n"
    "sources:\n"
    "  - {integration: crm, search: {field: pin, by: input.pin},"
    " rules: [{when: {input.pin: '000000'}, to: {ivr: main}}, {to: {queue: sales}, set: {caller_name: '{company}'}}]}\n"
    "default: {to: {extension: '1001'}}\n",
}
ROUTES["early"] = ROUTES["pin"].replace("sensitive: true", "sensitive: true, accept_early: true")
ROUTES["fails"] = ROUTES["pin"].replace("sensitive: true", "sensitive: true, attempts: 1, pattern: '0+'")
EVENTS = "CHAN_START,CHAN_END,ANSWER,HANGUP,APP_START,APP_END,BRIDGE_ENTER,BRIDGE_EXIT,USER_DEFINED,LINKEDID_END"
CEL = "[general]\nenable=yes\napps=all\nevents={events}\n[manager]\nenabled=yes\n"
#: Every level but `dtmf`, every record of calls, and every event but DTMF.
FILES = {
    "logger.conf": "[general]\n[logfiles]\nfull => notice,warning,error,verbose(5),debug,security\n",
    "cdr.conf": "[general]\nenable=yes\nunanswered=yes\n[csv]\nloguniqueid=yes\nloguserfield=yes\naccountlogs=yes\n",
    "cel.conf": CEL.format(events=EVENTS),
    "cel_custom.conf": "[mappings]\nMaster.csv => ${CSV_QUOTE(${eventtype})},${CSV_QUOTE(${CHANNEL(uniqueid)})},"
    "${CSV_QUOTE(${CHANNEL(appdata)})},${CSV_QUOTE(${eventextra})}\n",
}


#: How keys are told one by one: by level dtmf, by debugging, of RTP, and by channel event logging.
KEYS = [
    re.compile(text)
    for text in (r"DTMF end '(.)' r", r"END DTMF Frame: \d+ \((.)\)", r"mark 1, event 0+(\d),", r'"digit"+:"+([0-9*#])')
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house whose Asterisk writes down all that it does."""
    sounds: Path = tmp_path_factory.mktemp("sounds")
    save_sounds(sounds)
    async with (
        Asterisk(DIALPLAN, sounds=sounds, queues={"sales": []}, extra=FILES) as asterisk,
        Phone.open() as phone,
        Middleware.serving() as middleware,
    ):
        (asterisk.directory / "log" / "cel-custom").mkdir()
        await asterisk.ami.action("ModuleLoad", Module="cel_custom.so", LoadType="load")
        await asterisk.command("core set verbose 5")
        yield House(asterisk, phone, middleware)


async def types(stage: Stage, pin: str, route: str = "pin") -> str:
    """Make a call to its end that types a PIN; give its uniqueid."""
    stage.middleware.knows("crm", pin, id=pin, name=f"no. {pin}", company="Acme", note=pin)
    call = await stage.typed(route, "1234")
    await hears(call, "menu")
    await call.press(pin + "#", 60, 40)
    uniqueid = (await stage.lands(call, "queue" if route != "fails" else "extension")).uniqueid
    await call.hang_up()
    await stage.gone(call)
    await stage.engine.logged("call.routed", call_id=uniqueid)
    await stage.asterisk.wait_event("CEL", EventName="LINKEDID_END", LinkedID=uniqueid)
    return uniqueid


def left_behind(stage: Stage) -> dict[str, str]:
    """Every file of Asterisk's, and the engine's log: name and text."""
    root = stage.asterisk.directory
    folders = [path for path in root.iterdir() if path.name not in ("etc", "data", "music")]
    files = [path for folder in folders for path in [folder, *folder.rglob("*")] if path.is_file()]
    texts = {str(path.relative_to(root)): path.read_bytes().decode("latin-1") for path in files}
    return texts | {"engine": "\n".join([*map(str, stage.engine.log), *stage.engine.noise])}


def shown_in(stage: Stage, pin: str) -> list[str]:
    """The files in which a PIN stands, whole or without its first key, or from which its keys can be read in order."""
    return sorted(name for name, text in left_behind(stage).items() if _tells(text, pin))


def _tells(text: str, pin: str) -> bool:
    return pin[1:] in text or any(pin in "".join(keys.findall(text)) for keys in KEYS)


async def test_a_call_with_a_pin_leaves_it_nowhere(stage: Stage) -> None:
    for route, pin in (("pin", "91827364"), ("early", "645546"), ("fails", "918273")):
        uniqueid = await types(stage, pin, route)
        assert shown_in(stage, pin) == []
        assert pin not in str(stage.asterisk.events)
        written = {name for name, text in left_behind(stage).items() if uniqueid in text}
        assert {"engine", "log/cdr-csv/Master.csv", "log/cdr-custom/Calls.csv", "log/cel-custom/Master.csv"} <= written
    assert [request.digits for request in stage.middleware.requests] == ["91827364", "645546"]
    assert "Playing 'menu" in stage.asterisk.log_text()


#: The command that switches something on and the one that ends it, a PIN, and the file that shows it.
SWITCHES = [
    ("core set debug 1", "core set debug 0", "73519284", ["log/full"]),
    ("agi set debug on", "agi set debug off", "62840731", ["log/full"]),
    ("rtp set debug on", "rtp set debug off", "40952837", ["log/full"]),
    ("logger add channel keys dtmf", "logger remove channel keys", "50937261", ["log/keys"]),
]


@pytest.mark.parametrize(("on", "off", "pin", "shown"), SWITCHES)
async def test_these_switches_show_it(stage: Stage, on: str, off: str, pin: str, shown: Sequence[str]) -> None:
    await stage.asterisk.command(on)
    await types(stage, pin)
    await stage.asterisk.command(off)
    assert shown_in(stage, pin) == shown


async def test_channel_event_logging_shows_it_when_it_logs_keys(stage: Stage) -> None:
    etc = stage.asterisk.directory / "etc" / "cel.conf"
    etc.write_text(CEL.format(events="ALL"))
    await stage.asterisk.ami.action("Reload", Module="cel")
    await types(stage, "82946157")
    assert shown_in(stage, "82946157") == ["log/cel-custom/Master.csv"]


async def test_after_all_of_it_is_off_again_nothing_shows_it(stage: Stage) -> None:
    (stage.asterisk.directory / "etc" / "cel.conf").write_text(CEL.format(events=EVENTS))
    await stage.asterisk.ami.action("Reload", Module="cel")
    await asyncio.gather(types(stage, "19283746"), types(stage, "56473829"))
    assert shown_in(stage, "19283746") == shown_in(stage, "56473829") == []
