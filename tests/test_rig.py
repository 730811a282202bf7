"""The rig itself: a real Asterisk, a telephone that is heard and hears, and calls that can be found again."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rig.asterisk import MUSIC_HZ, Asterisk, NotLanded
from rig.ear import LINEAR, Ear, save_wav, strongest_hz, tone, ulaw_of
from rig.process import ServerFailed
from rig.sip import Call, NotAnswered, Phone, silence, sound
from rig.sip_wire import name_in, party, read_message, read_sdp, user_in, write_message, write_sdp
from rig.stage import desk, stage

pytestmark = pytest.mark.asterisk

DIALPLAN = """
[from-trunk]
exten => music,1,Answer()
 same => n,MusicOnHold()
exten => ours,1,Answer()
 same => n,Playback(greeting-welcome)
 same => n,Hangup()
exten => read,1,Answer()
 same => n,Read(DIGITS,,10,,1,5)
 same => n,Goto(reached,${DIGITS},1)
exten => who,1,Set(SEEN=${CALLERID(num)}/${CALLERID(name)}/${CALLERID(pres)}/${CALLERID(rdnis)})
 same => n,Goto(reached,0,1)
exten => busy,1,Busy()
exten => ring,1,Ringing()
 same => n,Wait(30)
exten => _1XXX,1,Dial(PJSIP/${EXTEN},20)
exten => queue,1,Queue(sales)

[from-phones]
exten => music,1,Goto(from-trunk,music,1)

[reached]
exten => _X.,1,NoOp()
 same => n,Wait(0.2)
exten => _X,1,NoOp()
"""


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[tuple[Asterisk, Phone]]:
    (tmp_path / "en").mkdir()
    save_wav(tmp_path / "en" / "greeting-welcome.wav", tone(880, 1.0))
    async with stage(DIALPLAN, sounds=tmp_path, queues={"sales": ["PJSIP/1002"]}) as both:
        yield both


async def dial(rig: tuple[Asterisk, Phone], number: str, caller: str = "+436641234567") -> Call:
    call = await rig[1].dial(rig[0].sip_address, number, caller=caller)
    await call.answered()
    return call


def test_get_asterisk_is_quick_and_prints_one_path() -> None:
    done = subprocess.run(["rig/get-asterisk"], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_file()


async def test_asterisk_boots_without_errors_and_leaves_nothing(rig: tuple[Asterisk, Phone]) -> None:
    errors = [line for line in rig[0].log_text().splitlines() if "ERROR" in line]
    assert errors == []
    assert "0 active calls" in await rig[0].command("core show channels")


async def test_stopping_removes_the_folder() -> None:
    async with Asterisk() as asterisk:
        assert asterisk.directory.is_dir()
    assert not asterisk.directory.exists()
    assert not asterisk.running


async def test_what_is_kept_is_stopped_in_order() -> None:
    async with Asterisk(keep=True) as asterisk:
        pass
    assert "Asterisk cleanly ending" in (asterisk.directory / "console").read_text() + asterisk.log_text()
    shutil.rmtree(asterisk.directory)


async def test_an_asterisk_that_cannot_start_says_why() -> None:
    with pytest.raises(ServerFailed, match="did not come up"):
        async with Asterisk(extra={"asterisk.conf": "[directories]\nastmoddir => /nowhere\n"}):
            pass


async def test_our_sounds_stand_before_those_of_asterisk(tmp_path: Path) -> None:
    (tmp_path / "en" / "digits").mkdir(parents=True)
    save_wav(tmp_path / "en" / "digits" / "1.gsm", b"")
    async with Asterisk(sounds=tmp_path) as asterisk:
        english = asterisk.directory / "data" / "sounds" / "en"
        assert (english / "digits" / "1.gsm").resolve() == tmp_path / "en" / "digits" / "1.gsm"
        assert (english / "digits" / "2.gsm").is_file()
        assert (english / "demo-congrats.gsm").is_file()


async def test_three_instances_run_side_by_side() -> None:
    async with Asterisk() as one, Asterisk() as two, Asterisk() as three:
        assert len({one.pid, two.pid, three.pid, one.ports.sip, two.ports.sip, three.ports.sip}) == 6


async def test_a_killed_asterisk_is_gone_at_once(rig: tuple[Asterisk, Phone]) -> None:
    await rig[0].kill()
    assert not rig[0].running


async def test_our_sound_is_heard_at_its_frequency(rig: tuple[Asterisk, Phone], tmp_path: Path) -> None:
    call = await dial(rig, "ours")
    await call.hears(sound(0.8, hz=880))
    assert (await call.ended()).by == "them"
    assert 0.9 <= call.sound_heard_s <= 1.1
    call.save_wav(tmp_path / "heard.wav")
    assert (tmp_path / "heard.wav").stat().st_size > 14000


async def test_digits_typed_by_many_at_once_all_arrive(rig: tuple[Asterisk, Phone]) -> None:
    numbers = [f"{n:06d}" for n in range(100000, 100020)]
    calls = [await dial(rig, "read") for _ in numbers]
    await asyncio.gather(*(call.press(f"{number}#") for call, number in zip(calls, numbers, strict=True)))
    landings = [await rig[0].landed(call, "reached") for call in calls]
    assert [landing.exten for landing in landings] == numbers


async def test_short_tones_arrive_too(rig: tuple[Asterisk, Phone]) -> None:
    call = await dial(rig, "read")
    await call.press("1122334455", tone_ms=60, gap_ms=40)
    assert (await rig[0].landed(call, "reached")).exten == "1122334455"


@pytest.mark.parametrize(
    ("caller", "withheld", "seen"),
    [
        # Asterisk itself keeps the backslashes of a quoted display name.
        ("+43664123", False, '+43664123/Anna \\"Q\\" O\'Neil-Müller/allowed_not_screened/'),
        ("+43664123", True, "+43664123//prohib_not_screened/"),
        ("", False, "anonymous/Anonymous/allowed_not_screened/"),
    ],
)
async def test_the_number_is_shown_or_withheld(
    rig: tuple[Asterisk, Phone], caller: str, withheld: bool, seen: str
) -> None:
    asterisk, phone = rig
    name = 'Anna "Q" O\'Neil-Müller'
    call = await phone.dial(asterisk.sip_address, "who", caller=caller, name=name, withheld=withheld)
    landing = await asterisk.landed(call, "reached")
    assert landing.variables["SEEN"] == seen


async def test_a_forwarded_call_names_who_forwarded_it(rig: tuple[Asterisk, Phone]) -> None:
    call = await rig[1].dial(rig[0].sip_address, "who", caller="+431", diversion="777")
    assert (await rig[0].landed(call, "reached")).variables["SEEN"].endswith("/777")


async def test_a_refused_call_tells_its_status(rig: tuple[Asterisk, Phone]) -> None:
    call = await rig[1].dial(rig[0].sip_address, "busy", caller="+431")
    with pytest.raises(NotAnswered) as caught:
        await call.answered()
    assert caught.value.ending.status == 486


async def test_a_number_nobody_has_is_refused_with_404(rig: tuple[Asterisk, Phone]) -> None:
    call = await rig[1].dial(rig[0].sip_address, "nobody", caller="+431")
    assert (await call.ended()).status == 404


async def test_giving_up_while_it_rings_cancels_the_call(rig: tuple[Asterisk, Phone]) -> None:
    call = await rig[1].dial(rig[0].sip_address, "ring", caller="+431")
    assert await call.rings() == 180
    assert await call.hang_up() == await call.ended()
    assert call.ending
    assert (call.ending.by, call.ending.status) == ("us", 487)


async def test_the_caller_hangs_up_and_asterisk_knows(rig: tuple[Asterisk, Phone]) -> None:
    call = await dial(rig, "music")
    await call.hears(sound(0.3, hz=MUSIC_HZ))
    assert (await call.hang_up()).by == "us"
    landing = await rig[0].landed(call)
    assert landing.application == "MusicOnHold"
    await rig[0].wait_event("Hangup", Uniqueid=landing.uniqueid)


async def test_a_desk_answers_speaks_and_hangs_up(rig: tuple[Asterisk, Phone]) -> None:
    async with desk(rig[0], "1001") as callee:
        callee.answer_with(0.3, speaks_hz=700)
        call = await dial(rig, "1001")
        taken = await callee.next_call()
        assert (taken.caller, taken.called) == ("+436641234567", "1001")
        await call.hears(sound(0.2, hz=700))
        await taken.hang_up()
        assert await call.ended()
        assert call.ending
        assert call.ending.by == "them"


async def test_caller_and_callee_hear_each_other_and_each_others_keys(rig: tuple[Asterisk, Phone]) -> None:
    async with desk(rig[0], "1001") as callee:
        call = await dial(rig, "1001")
        taken = await callee.next_call()
        call.speak(1000)
        await taken.hears(sound(0.2, hz=1000))
        await call.press("12#")
        await taken.press("34*")
        assert (taken.keys_heard, call.keys_heard) == ("12#", "34*")


async def test_a_desk_can_be_busy(rig: tuple[Asterisk, Phone]) -> None:
    async with desk(rig[0], "1001") as callee:
        callee.answer_with(status=486)
        call = await rig[1].dial(rig[0].sip_address, "1001", caller="+431")
        assert (await call.ended()).by == "them"
        await rig[0].wait_event("DialEnd", DialStatus="BUSY")


async def test_a_desk_that_only_rings_sees_the_caller_give_up(rig: tuple[Asterisk, Phone]) -> None:
    async with desk(rig[0], "1001") as callee:
        callee.answer_with(status=None)
        call = await rig[1].dial(rig[0].sip_address, "1001", caller="+431")
        taken = await callee.next_call()
        await call.rings()
        await call.hang_up()
        assert (await taken.ended()).status == 487


async def test_a_queue_hands_the_call_to_its_member(rig: tuple[Asterisk, Phone]) -> None:
    async with desk(rig[0], "1002") as callee:
        call = await rig[1].dial(rig[0].sip_address, "queue", caller="+431")
        landing = await rig[0].landed(call, "from-*", application="queue")
        assert (landing.exten, landing.data) == ("queue", "sales")
        assert await callee.next_call()


async def test_a_desk_calls_from_its_own_context(rig: tuple[Asterisk, Phone]) -> None:
    async with desk(rig[0], "1003") as inside:
        call = await inside.dial(rig[0].sip_address, "music", caller="1003")
        await call.answered()
        await rig[0].wait_event("Newexten", Context="from-phones")


async def test_a_call_that_does_not_get_there_tells_its_way(rig: tuple[Asterisk, Phone]) -> None:
    call = await rig[1].dial(rig[0].sip_address, "busy", caller="+431")
    with pytest.raises(NotLanded, match=r"from-trunk,busy,1 Busy"):
        await rig[0].landed(call, "reached")


async def test_what_is_no_sip_is_passed_over(rig: tuple[Asterisk, Phone]) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=rig[1].address)
    for junk in (b"", b"\r\n\r\n", b"\0" * 900, b"INVITE x SIP/2.0\r\n\r\n", b"SIP/2.0 999 No\r\nVia: x\r\n\r\n"):
        transport.sendto(junk)
    transport.close()
    assert await (await dial(rig, "music")).hears(sound(0.2))


@pytest.mark.parametrize(
    "broken", [b"", b"OPTIONS", b"SIP/2.0 200 OK\r\n\r\n", b"A b SIP/2.0\r\nCSeq: x\r\n\r\n", b"\xff\xfe"]
)
def test_broken_sip_is_no_message(broken: bytes) -> None:
    assert read_message(broken) is None


def test_a_message_survives_its_own_wire() -> None:
    headers = b"v: SIP/2.0/UDP h;branch=z1\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: x\r\nCSeq: 7 OPTIONS\r\n\r\n"
    text = b"OPTIONS sip:a@b SIP/2.0\r\n" + headers
    message = read_message(text)
    assert message
    assert (message.branch, message.cseq, message.call_id) == ("z1", 7, "x")
    assert read_message(write_message(message)) is not None


def test_names_with_quotes_survive() -> None:
    value = party('Anna "Q" \\ O;Neil', "sip:+431@host", "t")
    assert (name_in(value), user_in(value)) == ('Anna "Q" \\ O;Neil', "+431")


def test_sdp_without_ulaw_is_no_media() -> None:
    assert read_sdp(write_sdp("127.0.0.1", 4000).replace(b"AVP 0 ", b"AVP 8 ")) is None


def test_ulaw_is_its_own_inverse() -> None:
    assert [LINEAR[ulaw_of(sample)] for sample in LINEAR] == list(LINEAR)


@pytest.mark.parametrize("hz", [200, 440, 1000, 3000])
def test_a_tone_has_its_frequency(hz: int) -> None:
    assert abs(strongest_hz(tone(hz)[:2048]) - hz) < 3


def test_the_ear_tells_sound_and_silence_apart() -> None:
    now = [0.0]
    ear = Ear(lambda: now[0])
    codes = tone(440, 0.4)
    for source, begin in ((1, 0.0), (2, 1.0)):
        for at in range(0, len(codes), 160):
            now[0] = begin + at / 8000
            ear.take(source, at, codes[at : at + 160])
    heard = [(segment.sound, round(segment.lasts_s, 1)) for segment in ear.segments()]
    assert heard == [(True, 0.4), (False, 0.6), (True, 0.4)]
    assert any(map(silence(0.5), ear.segments()))


def test_the_ear_hears_a_pause_that_the_sender_does_not_tell() -> None:
    now = [0.0]
    ear = Ear(lambda: now[0])
    codes = tone(440, 0.2)
    for begin in (0.5, 0.76):  # the second part comes 60 ms late, by a clock that stood still in between
        for at in range(0, len(codes), 160):
            now[0] = begin + at / 8000
            ear.take(1, at + (1600 if begin > 0.5 else 0), codes[at : at + 160])
    now[0] = 1.5
    assert [(round(one.start_s, 2), round(one.end_s, 2)) for one in ear.pauses()] == [
        (0, 0.5),
        (0.7, 0.76),
        (0.96, 1.5),
    ]
