"""Telephones with a password for one session, on a real Asterisk: who registers, who does not, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from rig.sip import Phone

from .firm import KEY, Firm, ringing

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


async def registers(firm: Firm, phone: Phone, made: dict[str, Any], **other: str) -> bool:
    """Whether a telephone registers with what was made, or with something else in its place."""
    log_in = (other.get("username", made["username"]), other.get("password", made["password"]))
    try:
        await phone.register(firm.asterisk.sip_address, "204-soft", log_in=log_in)
    except ConnectionError:
        return False
    return True


async def test_a_telephone_registers_with_the_password_of_its_session_and_no_other(firm: Firm) -> None:
    async with Phone.open() as dora:
        dora.answer_with(status=None)
        status, made = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        assert (status, made["phone"], made["server"]) == (201, "main/204-soft", firm.asterisk.wss_address)
        assert not await registers(firm, dora, made, password="wrong")
        assert not await registers(firm, dora, made, username="204-soft")
        assert await registers(firm, dora, made)
        call = await firm.called(user="dora")
        (await ringing(dora)).answer()
        (await ringing(firm.provider)).answer()
        await firm.until(call, lambda now: now["state"] == "talking")
        await firm.do(call, "hangup")
        await firm.ended(call)


async def test_a_session_that_is_over_leaves_no_telephone(firm: Firm) -> None:
    async with Phone.open() as dora:
        _, made = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        assert await registers(firm, dora, made)
        since = len(firm.asterisk.events)
        headers = {"Authorization": f"Bearer {KEY}"}
        async with firm.session.delete(f"{firm.url}/v1/sip-credentials/{made['id']}", headers=headers) as answer:
            assert answer.status == 204
        await firm.asterisk.wait_event("ContactStatus", since=since, ContactStatus="Removed", AOR="204-soft")
        assert not await registers(firm, dora, made)
        assert await firm.code(user="dora") == (409, "no_phone")


async def test_a_newer_session_ends_the_one_before(firm: Firm) -> None:
    async with Phone.open() as dora:
        _, first = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        _, second = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        assert not await registers(firm, dora, first)
        assert await registers(firm, dora, second)


async def test_no_password_stands_in_a_log_or_a_file(firm: Firm) -> None:
    _, made = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
    written = [path.read_bytes() for path in firm.engine.folder.rglob("*") if path.is_file()]
    assert not any(made["password"].encode() in one for one in written)
    assert made["password"] not in str(firm.engine.log) + firm.asterisk.log_text()


async def test_a_restarted_asterisk_gets_the_passwords_of_its_sessions_again(firm: Firm) -> None:
    """The last one of the file: the calls of before are over with that Asterisk."""
    async with Phone.open() as dora:
        _, made = await firm.ask("POST", "/v1/sip-credentials", json={"user": "dora"})
        before = len(firm.engine.lines("sip.passwords_put"))
        await firm.asterisk.stop()
        await firm.asterisk.start_again()
        await firm.engine.log.first(lambda _: len(firm.engine.lines("sip.passwords_put")) > before)
        assert await registers(firm, dora, made)
        for number, phone in (("201", firm.anna), ("202", firm.bernd)):
            await phone.register(firm.asterisk.sip_address, number)
