"""Callers who hide their number, and names and records that would like to be dialplan."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rig.stage import desk

from .stage import Stage, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

BY_CALLER = "{integration: erp, search: {field: phone, by: caller}, rules: [{to: {queue: vip}}]}"
BY_INPUT = "{integration: crm, search: {field: number, by: input}, rules: [{to: {queue: sales}}]}"
INPUT = "input: {prompt: prompt, digits: {min: 4, max: 6}}"
SETS = "{caller_name: '{company} - {name}', CRM_NOTE: '{note}', CRM_WHO: '{call.name}', __CRM_INHERITED: '{id}'}"
ROUTES = {
    "hidden": f"sources: [{BY_CALLER}]\ndefault: {{to: {{ivr: main}}}}",
    "hidden_input": f"{INPUT}\nsources: [{BY_CALLER}, {BY_INPUT}]\ndefault: {{to: {{ivr: main}}}}",
    "refused": f"{INPUT}\nsources: [{BY_CALLER}]\nanonymous: {{play: sorry, to: {{dialplan: 'office,hidden,1'}}}}\n"
    "default: {to: {ivr: main}}",
    "named": "sources:\n  - integration: erp\n    search: {field: phone, by: caller}\n    rules:\n"
    f"      - {{to: {{extension: '{{extension}}', else: {{dialplan: 'office,else,1'}}}}, set: {SETS}}}\n"
    "default: {to: {ivr: main}}",
}
ROUTES["sensitive"] = ROUTES["hidden_input"].replace("max: 6}", "max: 6}, sensitive: true")
HIDDEN = "+436649998877"
UNUSUAL = [
    "Jörg Müller-Österreich",
    'Anna "Q" O\'Neil',
    "Doe, John | Jr; & Söhne",
    "日本語 😀 Ελληνικά",
    "back\\slash \\n %41 (brackets)",
]
#: What would be there if Asterisk evaluated a value.
TRACE = Path("/tmp/routing-engine-acceptance-evaluated")
#: What a record says, and what must stand in the variable: nothing that Asterisk would evaluate, no second line.
HOSTILE = [
    (f"${{SHELL(touch {TRACE})}}", f"{{SHELL(touch {TRACE})}}"),
    ("$[1+1] ${EXTEN}", "[1+1] {EXTEN}"),
    ("${${CHANNEL}}", "{{CHANNEL}}"),
    ('"\nSET VARIABLE ROUTE_STATUS "HACKED', '" SET VARIABLE ROUTE_STATUS "HACKED'),
    ('x")\r\nEXEC Hangup "16', 'x") EXEC Hangup "16'),
    ("a,b,c|d=e;f&g)", "a,b,c|d=e;f&g)"),
    ("tab\tnull\0bell\a", "tab nullbell"),
]


def shows_nothing_of(stage: Stage, number: str) -> bool:
    """Whether neither the middleware nor the engine's log has seen the digits of a number."""
    seen = "".join(request.text for request in stage.middleware.requests) + str(stage.engine.log)
    return number.lstrip("+") not in seen


async def test_a_withheld_number_is_never_sent_to_anybody(stage: Stage) -> None:
    stage.middleware.knows("erp", HIDDEN, id="secret")
    stage.middleware.knows("crm", "123456", id="typed")
    calls = [await stage.dial("hidden", caller=HIDDEN, withheld=True), await stage.dial("hidden", caller="")]
    landings = await asyncio.gather(*(stage.lands(call, "ivr") for call in calls))
    assert {told(landing, "STATUS", "REASON") for landing in landings} == {("OK", "no_record")}
    typed = await stage.typed("hidden_input", "123456", caller=HIDDEN, withheld=True)
    assert (await stage.lands(typed, "queue")).exten == "sales"
    assert [request.path for request in stage.middleware.requests] == ["crm"]
    assert "customer_id" not in stage.middleware.requests[0].asked
    assert shows_nothing_of(stage, HIDDEN)


@pytest.mark.parametrize("caller", [HIDDEN, ""], ids=["asserted number", "no number"])
async def test_hidden_callers_may_have_a_destination_of_their_own(stage: Stage, caller: str) -> None:
    call = await stage.dial("refused", caller=caller, withheld=True)
    landing = await stage.asterisk.landed(call, "office")
    assert (landing.exten, *told(landing, "STATUS", "REASON")) == ("hidden", "OK", "anonymous")
    assert list(stage.middleware.requests) == []
    assert shows_nothing_of(stage, HIDDEN)


async def test_sensitive_digits_stand_nowhere_but_in_the_question(stage: Stage) -> None:
    stage.middleware.knows("crm", "918273", id="918273", name="no. 918273")
    call = await stage.typed("sensitive", "918273")
    landing = await stage.lands(call, "queue")
    assert landing.exten == "sales"
    assert "918273" not in str(landing)
    await stage.engine.logged("call.routed", call_id=landing.uniqueid)
    assert "918273" not in str(stage.engine.log) + stage.asterisk.log_text()


@pytest.mark.parametrize("name", UNUSUAL)
async def test_names_reach_variables_and_the_desk_as_they_are(stage: Stage, name: str) -> None:
    async with desk(stage.asterisk, "1001") as callee:
        call = await stage.dial("named", name=name)
        stage.middleware.knows("erp", call.caller, id=7, company="Åse & Co", name=name, note=name, extension=1001)
        landing = await stage.lands(call, "extension")
        taken = await callee.next_call()
        assert (taken.caller, taken.caller_name) == (call.caller, f"Åse & Co - {name}")
        assert landing.exten == "1001"
        assert (landing.variables["CRM_NOTE"], landing.variables["__CRM_INHERITED"]) == (name, "7")
        # Asterisk leaves SIP's backslashes before quotes in a name.
        assert landing.variables["CRM_WHO"] == landing.variables["NAME_SEEN"] != ""


@pytest.mark.parametrize(("hostile", "clean"), HOSTILE)
async def test_a_hostile_record_changes_nothing_in_the_dialplan(stage: Stage, hostile: str, clean: str) -> None:
    call = await stage.dial("named", name=hostile.partition("\n")[0].partition("\r")[0].replace("\0", ""))
    stage.middleware.knows("erp", call.caller, id="1", note=hostile, name=hostile, company="C", extension=hostile)
    landing = await stage.asterisk.landed(call, "office")
    assert (landing.exten, *told(landing, "STATUS", "REASON")) == ("else", "OK", "matched")
    assert landing.variables["CRM_NOTE"] == clean
    assert landing.data == clean
    assert not TRACE.exists()
