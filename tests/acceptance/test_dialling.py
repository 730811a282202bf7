"""People dial over the API on a real Asterisk: their telephone rings first, and what is told is what happened.

The six proofs of a CRM of one's own on a SIP trunk, and where they are:

1. A call with valid credentials, and none with wrong ones:
   `test_session_passwords.py::test_a_telephone_registers_with_the_password_of_its_session_and_no_other`.
2. The right caller ID at the other end: `test_the_caller_id_goes_by_the_country_that_is_dialled`,
   `test_a_program_may_choose_any_number_of_the_trunk_and_no_other`.
3. The webhook of the end makes the record, and one that is sent again none:
   `test_the_end_of_a_dialled_call_is_told_once_however_often_it_is_sent`, and of calls of others
   `tests/web/test_api.py` (the same event again changes nothing).
4. Busy, no answer and unreachable are told apart: `test_what_the_other_end_says_is_told_apart`.
5. The user's own telephone as well: `test_what_the_user_s_own_telephone_says_is_told_apart`.
6. The browser dies in a call, and the line is free:
   `tests/browser/test_phone.py::test_a_browser_that_dies_in_a_call_frees_the_line`.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess

import pytest

from rig.sip_features import hold, resume

from .engine import PROGRAM
from .firm import BERLIN, FIRM, FIRM_DE, KEY, OTTO, READER, Firm, ringing

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


async def test_the_user_s_telephone_rings_first_and_then_the_number_is_called(firm: Firm) -> None:
    status, call = await firm.dial("0676 555 66 67")
    assert (status, call["state"], call["direction"], call["from"], call["to"]) == (
        202,
        "ringing",
        "outbound",
        "201",
        OTTO,
    )
    anna = await ringing(firm.anna)
    assert anna.caller == OTTO  # who will be called, on the telephone's screen
    anna.answer()
    otto = await ringing(firm.provider)
    assert (otto.called, otto.caller) == (OTTO, FIRM)
    otto.answer()
    await firm.until(call, lambda now: now["state"] == "talking")
    await otto.hang_up()
    over = await firm.ended(call)
    assert (over["outcome"], over["user"], over["did"], over["hangup_by"]) == ("answered", "anna", FIRM, "other")


async def test_the_caller_id_goes_by_the_country_that_is_dialled(firm: Firm) -> None:
    call = await firm.called(BERLIN)
    (await ringing(firm.anna)).answer()
    assert (await ringing(firm.provider)).caller == FIRM_DE
    await firm.do(call, "hangup")
    assert (await firm.ended(call))["did"] == FIRM_DE


async def test_a_program_may_choose_any_number_of_the_trunk_and_no_other(firm: Firm) -> None:
    assert await firm.code(caller_id="+4319999999") == (409, "caller_id_refused")
    assert await firm.code(user="clara") == (409, "caller_id_refused")
    status, call = await firm.dial(caller_id="+4312345677")
    assert status == 202
    (await ringing(firm.anna)).answer()
    assert (await ringing(firm.provider)).caller == "+4312345677"
    await firm.do(call, "hangup")


@pytest.mark.parametrize(
    ("to", "more", "refused"),
    [
        ("*21*+49301234567#", {}, (400, "bad_number")),
        ("+43676\r\nAction: Hangup", {}, (400, "bad_number")),
        ("nobody", {}, (400, "bad_number")),
        (OTTO, {"user": "nobody"}, (404, "unknown_user")),
        (OTTO, {"phone": "main/202"}, (409, "no_phone")),
        ("201", {"user": "clara"}, (409, "no_phone")),
    ],
)
async def test_what_cannot_be_dialled_is_refused_before_anything_rings(
    firm: Firm, to: str, more: dict[str, str], refused: tuple[int, str]
) -> None:
    assert await firm.code(to, **more) == refused
    assert firm.anna.calls == []


async def test_clicks_that_come_again_are_one_call(firm: Firm) -> None:
    answers = await asyncio.gather(*(firm.dial() for _ in range(4)))
    (call_id,) = {call["id"] for _, call in answers}
    anna = await ringing(firm.anna)
    assert len(firm.anna.calls) == 1
    assert await firm.code(BERLIN) == (409, "under_way")
    anna.answer()
    (await ringing(firm.provider)).answer()
    await firm.until({"id": call_id}, lambda now: now["state"] == "talking")
    assert (await firm.dial())[1]["id"] == call_id
    await firm.do({"id": call_id}, "hangup")
    await firm.ended({"id": call_id})


async def test_a_request_that_is_sent_again_is_the_same_call(firm: Firm) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = await firm.called(headers=key)
    await firm.do(first, "hangup")
    await firm.ended(first)
    again = await firm.called(headers=key)
    assert again["id"] == first["id"]
    assert await firm.code(BERLIN, headers=key) == (422, "key_used")


@pytest.mark.parametrize(("status", "result"), [(486, "busy"), (603, "declined"), (None, "no_answer")])
async def test_what_the_user_s_own_telephone_says_is_told_apart(firm: Firm, status: int | None, result: str) -> None:
    firm.anna.answer_with(status=status)
    call = await firm.called()
    over = await firm.ended(call)
    assert (over["outcome"], [leg["result"] for leg in over["legs"]]) == ("unanswered", [result])


@pytest.mark.parametrize(
    ("status", "outcome", "cause"),
    [(486, "busy", 17), (603, "unanswered", 21), (480, "unanswered", 19), (404, "failed", 1)],
)
async def test_what_the_other_end_says_is_told_apart(firm: Firm, status: int, outcome: str, cause: int) -> None:
    firm.provider.answer_with(status=status)
    call = await firm.called()
    (await ringing(firm.anna)).answer()
    over = await firm.ended(call)
    assert (over["outcome"], over["cause"]) == (outcome, cause)


async def test_the_end_of_a_dialled_call_is_told_once_however_often_it_is_sent(firm: Firm) -> None:
    call, _, otto = await firm.talking()
    firm.told.refused.add(call["id"])
    await otto.hang_up()
    over = await firm.ended(call)
    assert (over["id"], over["outcome"], over["to"], over["did"]) == (call["id"], "answered", OTTO, FIRM)
    # It was sent again with the same id, by which a receiver knows what it has already.
    first, again = firm.told.ends[call["id"]]
    assert first == again


async def test_a_click_is_taken_back_while_the_telephone_rings(firm: Firm) -> None:
    call = await firm.called()
    anna = await ringing(firm.anna)
    assert (await firm.do(call, "hangup"))[0] == 200
    await anna.ended()
    assert (await firm.ended(call))["outcome"] == "unanswered"
    assert (await firm.do(call, "hangup"))[1]["error"]["code"] == "call_ended"


async def test_a_call_is_passed_on_blind_with_a_number_of_ours_shown(firm: Firm) -> None:
    call, _, _ = await firm.talking()
    assert (await firm.do(call, "transfer", to=BERLIN, how="blind"))[0] == 200
    target = await ringing(firm.provider)
    assert (target.called, target.caller) == (BERLIN, FIRM_DE)
    target.answer()
    passed = await firm.until(call, lambda now: bool(now["transfers"]))
    [transfer] = passed["transfers"]
    assert (transfer["by"], transfer["to"], transfer["how"]) == ("main/201", BERLIN, "blind")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_call_is_passed_on_after_a_consultation(firm: Firm) -> None:
    call, anna, _ = await firm.talking()
    assert (await firm.do(call, "transfer", to="202", how="attended"))[0] == 200
    bernd = await ringing(firm.bernd)
    bernd.answer()
    await bernd.answered()
    await firm.until(call, lambda now: {"main/202"} <= {leg["phone"] for leg in now["legs"] if leg["answered_at"]})
    await anna.hang_up()
    passed = await firm.until(call, lambda now: bool(now["transfers"]))
    [transfer] = passed["transfers"]
    assert (transfer["by"], transfer["to"], transfer["how"]) == ("main/201", "main/202", "attended")
    assert passed["state"] == "talking"
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_consultation_is_broken_off_and_the_call_goes_on(firm: Firm) -> None:
    call, _, otto = await firm.talking()
    for _ in range(2):  # the first colleague does not know; another one is asked
        assert (await firm.do(call, "transfer", to="202", how="attended"))[0] == 200
        bernd = await ringing(firm.bernd)
        status, now = await firm.do(call, "transfer", how="cancel")
        assert (status, now["state"]) == (200, "talking")
        await bernd.ended()
    assert (otto.ending, now["transfers"]) == (None, [])
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_the_recording_of_a_call_is_paused_and_goes_on(firm: Firm) -> None:
    call, _, _ = await firm.talking()
    since = len(firm.asterisk.events)
    assert (await firm.do(call, "mute_recording"))[0] == 200
    await firm.asterisk.wait_event("MixMonitorMute", since=since, State="1")
    assert (await firm.do(call, "mute_recording", muted=False))[0] == 200
    await firm.asterisk.wait_event("MixMonitorMute", since=since, State="0")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_recording_that_is_not_there_cannot_be_paused(firm: Firm) -> None:
    call = await firm.called("202")
    (await ringing(firm.anna)).answer()
    (await ringing(firm.bernd)).answer()
    await firm.until(call, lambda now: now["state"] == "talking")
    status, body = await firm.do(call, "mute_recording")
    assert (status, body["error"]["code"]) == (409, "not_recorded")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_hold_is_refused_where_asterisk_cannot_ask_for_it(firm: Firm) -> None:
    call, _, _ = await firm.talking()
    status, body = await firm.do(call, "hold")
    assert (status, body["error"]["code"]) == (409, "no_hold")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_telephone_that_knows_how_holds_and_takes_back(firm: Firm) -> None:
    await firm.asterisk.ami.action("ModuleLoad", Module="res_pjsip_notify.so", LoadType="load")
    call, anna, _ = await firm.talking()
    holding = asyncio.create_task(firm.do(call, "hold"))
    assert await anna.asked_for() == "hold"
    await hold(anna)
    status, held = await holding
    assert (status, held["state"]) == (200, "held")
    taking = asyncio.create_task(firm.do(call, "resume"))
    assert await anna.asked_for() == "talk"
    await resume(anna)
    status, back = await taking
    assert (status, back["state"]) == (200, "talking")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_telephone_that_does_not_hold_is_told(firm: Firm) -> None:
    call, anna, _ = await firm.talking()
    holding = asyncio.create_task(firm.do(call, "hold"))
    await anna.asked_for()
    status, body = await holding
    assert (status, body["error"]["code"]) == (409, "no_hold")
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_whoever_calls_for_help_is_put_through_whatever_is_configured(firm: Firm) -> None:
    status, call = await firm.dial("112")
    assert (status, call["to"]) == (202, "112")
    (await ringing(firm.anna)).answer()
    help_ = await ringing(firm.provider)
    assert help_.called == "112"
    await firm.do(call, "hangup")
    await firm.ended(call)


async def test_a_telephone_answers_by_itself_where_the_folder_says_so(firm: Firm) -> None:
    call = await firm.called(user="bernd")
    bernd = await ringing(firm.bernd)
    assert bernd.header("Call-Info").endswith(";answer-after=0")
    assert bernd.header("X-Routing-Engine-Call") == call["id"]
    await firm.do(call, "hangup")
    call = await firm.called()
    assert (await ringing(firm.anna)).header("Call-Info") == ""
    await firm.do(call, "hangup")


async def test_a_key_without_the_right_dials_nothing(firm: Firm) -> None:
    status, body = await firm.ask("POST", "/v1/calls", READER, json={"user": "anna", "to": OTTO})
    assert (status, body["error"]["code"]) == (403, "no_right")
    status, body = await firm.ask("POST", "/v1/calls/x/hangup", KEY, json={})
    assert (status, body["error"]["code"]) == (404, "unknown_call")


async def command(firm: Firm, *words: str) -> tuple[int, str]:
    """What a command says of the folder of the running engine, and its exit code."""
    asked = [str(PROGRAM), "--config", str(firm.engine.folder), *words]
    done = await asyncio.to_thread(subprocess.run, asked, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


async def test_the_command_dials_and_tells_how_it_came_out(firm: Firm) -> None:
    firm.anna.answer_with()
    firm.provider.answer_with(hangs_up_after_s=0.8)
    code, said = await command(firm, "dial", "anna", OTTO)
    assert code == 0, said
    assert said.splitlines()[0].startswith(f"the phone of anna rings, then {OTTO} is called (")
    assert said.splitlines()[-1].startswith("answered, ")


async def test_whoever_interrupts_the_command_hangs_up(firm: Firm) -> None:
    asked = [str(PROGRAM), "--config", str(firm.engine.folder), "dial", "anna", OTTO]
    dialling = await asyncio.create_subprocess_exec(*asked, stdout=asyncio.subprocess.PIPE)
    assert dialling.stdout is not None
    await dialling.stdout.readline()  # the phone rings, and from now on it is followed
    anna = await ringing(firm.anna)
    dialling.send_signal(signal.SIGINT)
    await anna.ended()
    assert await dialling.wait() == 130


async def test_the_command_tells_what_is_refused(firm: Firm) -> None:
    code, said = await command(firm, "dial", "clara", "201")
    assert code == 1
    assert said.startswith("routing-engine: the phone 'main/203' is not registered; ")


async def test_the_check_looks_at_what_dialling_needs(firm: Firm) -> None:
    code, said = await command(firm, "pbx", "check", "main")
    assert code == 0, said
    assert "'routing-engine-dial' is there, and shows the caller ID" in said
    assert "passwords of telephones in the page can be put into Asterisk" in said
