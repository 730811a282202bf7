"""Who is found, where, and which rule matches: the meaning of a route, heard and seen at a real Asterisk."""

from __future__ import annotations

import asyncio

import pytest

from .stage import Stage, hears, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

INPUT = """
input:
  prompt: prompt
  digits: {min: 4, max: 6}
  first_digit_timeout_s: 8
  inter_digit_timeout_s: 5
  retry_prompt: retry
  final_prompt: final
"""
DEFAULT = "default: {play: sorry, to: {ivr: main}}\n"
GOLD = "{name: gold customers, when: {tier: gold}, play: gold, to: {queue: vip, priority: 10}}"
ROUTES = {
    "by_input": f"""
instruction: welcome
{INPUT}
sources:
  - {{integration: crm, search: {{field: number, by: input}}, rules: [{GOLD}]}}
  - {{integration: erp, search: {{field: phone, by: caller}}, rules: [{{name: known, to: {{queue: sales}}}}]}}
{DEFAULT}""",
    "by_caller": f"""
sources:
  - integration: post
    search: {{field: phone, by: caller}}
    rules:
      - {{name: new, when: {{tier: new}}, to: {{extension: '1001'}}}}
      - {{name: anybody, to: {{queue: sales}}}}
{DEFAULT}""",
    "by_called": f"""
sources:
  - {{integration: crm, search: {{field: did, by: called}}, rules: [{{to: {{queue: sales}}}}]}}
{DEFAULT}""",
    "silent": f"{INPUT.replace('first_digit_timeout_s: 8', 'first_digit_timeout_s: 0.6')}{DEFAULT}",
    "unhurried": "instruction: welcome\ndefault: {to: {queue: vip}}",
}


async def test_what_was_typed_leads_to_the_queue_of_its_rule(stage: Stage) -> None:
    stage.middleware.knows("crm", "123456", id="C 1", tier="gold")
    call = await stage.typed("by_input", "123456")
    await hears(call, "gold")
    landing = await stage.lands(call, "queue")
    assert (landing.exten, landing.data.split(",")[0], landing.variables["QUEUE_PRIO"]) == ("vip", "vip", "10")
    assert told(landing, "STATUS", "REASON", "KIND", "TARGET") == ("OK", "matched", "queue", "vip")
    assert told(landing, "NAME", "RULE", "CALL_ID") == ("by_input", "gold customers", landing.uniqueid)
    assert told(landing, "RECORD_URL") == ("https://crm.example.com/C%201",)
    assert told(landing, "CONTEXT", "EXTEN", "PRIORITY") == ("routing-engine-queue", "vip", "1")


async def test_the_middleware_is_asked_by_its_four_parameters(stage: Stage) -> None:
    call = await stage.typed("by_input", "654321")
    await stage.lands(call, "ivr")
    by_input, by_caller = stage.middleware.asked_by(call.caller)
    wanted = {"customer_id": call.caller, "field_name": "id,name,tier,company,note,extension"}
    assert by_input.asked == wanted | {"customer_input": "654321", "customer_input_field_name": "number"}
    assert by_caller.asked == wanted


async def test_a_priority_puts_a_caller_before_those_who_wait(stage: Stage) -> None:
    stage.middleware.knows("crm", "123456", tier="gold")
    first = await stage.call("unhurried")
    await stage.joins_queue(first, "vip", position=1)
    second = await stage.typed("by_input", "123456")
    await stage.joins_queue(second, "vip", position=1)
    third = await stage.call("unhurried")
    await stage.joins_queue(third, "vip", position=3)


async def test_who_calls_is_enough_to_be_found(stage: Stage) -> None:
    stage.middleware.knows("post", "+436641112222", tier="silver")
    call = await stage.call("by_caller", caller="0664 111 22 22".replace(" ", ""))
    landing = await stage.lands(call, "queue")
    assert (landing.exten, *told(landing, "REASON", "RULE")) == ("sales", "matched", "anybody")
    assert stage.middleware.requests[0].text.startswith("POST /post\n")


async def test_the_number_dialled_can_be_searched_by(stage: Stage) -> None:
    stage.middleware.knows("crm", "043123", tier="any")
    call = await stage.dial("043123")
    assert (await stage.lands(call, "queue")).exten == "sales"


async def test_the_third_attempt_counts_like_the_first(stage: Stage) -> None:
    stage.middleware.knows("crm", "123456", tier="gold")
    call = await stage.typed("by_input", "12#", "999#", "123456")
    landing = await stage.lands(call, "queue")
    assert (landing.exten, *told(landing, "REASON")) == ("vip", "matched")
    assert [request.digits for request in stage.middleware.asked_by(call.caller)] == ["123456"]


async def test_three_wrong_attempts_lead_to_the_default_and_nobody_is_asked(stage: Stage) -> None:
    call = await stage.typed("by_input", "12#", "1#", "999#")
    await hears(call, "final")
    await hears(call, "sorry")
    landing = await stage.lands(call, "ivr")
    assert (landing.exten, *told(landing, "STATUS", "REASON", "RULE")) == ("main", "OK", "no_input", "")
    assert stage.middleware.asked_by(call.caller) == []


async def test_nothing_typed_leads_to_the_default_and_nobody_is_asked(stage: Stage) -> None:
    call = await stage.call("silent")
    await hears(call, "retry", times=2)
    landing = await stage.lands(call, "ivr")
    assert told(landing, "REASON") == ("no_input",)
    assert stage.middleware.asked_by(call.caller) == []


async def test_no_record_anywhere_leads_to_the_default(stage: Stage) -> None:
    call = await stage.typed("by_input", "7777#")
    landing = await stage.lands(call, "ivr")
    assert told(landing, "STATUS", "REASON", "RECORD_URL") == ("OK", "no_record", "")
    assert stage.middleware.paths_asked_by(call.caller) == ["crm", "erp"]


async def test_the_second_source_is_asked_when_the_first_has_no_record(stage: Stage) -> None:
    stage.middleware.knows("erp", "+436645551234", id="7")
    call = await stage.typed("by_input", "7777#", caller="+436645551234")
    landing = await stage.lands(call, "queue")
    assert (landing.exten, *told(landing, "REASON", "RULE")) == ("sales", "matched", "known")
    assert "QUEUE_PRIO" not in landing.variables


async def test_a_record_without_a_matching_rule_ends_the_search(stage: Stage) -> None:
    stage.middleware.knows("crm", "123456", id="9", tier="Gold ")
    stage.middleware.knows("erp", "+436645551235", id="7")
    call = await stage.typed("by_input", "123456", caller="+436645551235")
    landing = await stage.lands(call, "ivr")
    assert told(landing, "REASON", "RULE", "RECORD_URL") == ("no_rule", "", "https://crm.example.com/9")
    assert stage.middleware.paths_asked_by(call.caller) == ["crm"]


async def test_fifty_calls_at_once_all_land_with_all_their_digits(stage: Stage) -> None:
    numbers = [f"{n:06d}" for n in range(310000, 360000, 1000)]
    calls = await asyncio.gather(*(stage.call("by_input") for _ in numbers))
    for number, call in zip(numbers, calls, strict=True):
        stage.middleware.knows("crm", number, id=call.caller, tier="gold")
    await asyncio.gather(*(call.press(number) for number, call in zip(numbers, calls, strict=True)))
    landings = await asyncio.gather(*(stage.lands(call, "queue") for call in calls))
    assert {told(landing, "REASON") for landing in landings} == {("matched",)}
    found = [landing.variables["ROUTE_RECORD_URL"].rsplit("/", 1)[1] for landing in landings]
    assert found == [call.caller.replace("+", "%2B") for call in calls]
