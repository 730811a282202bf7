"""What somebody wants to dial: read as people write it, and what is shown at the other end."""

from __future__ import annotations

import pytest

from routing_engine.dialling.originate import header_variables, originate_fields
from routing_engine.dialling.wish import DialTarget, caller_id, read_target
from routing_engine.errors import CommandRefused
from routing_engine.settings.dialling import DialKeys, read_range
from routing_engine.settings.pbx import PbxKeys
from routing_engine.settings.people import User

DIAL = DialKeys(context="out")
NATIONAL = DialKeys(context="out", numbers_as="national", prefix="9")
FIRM, BERLIN, CHOSEN = "+4312345601", "+493012345601", "+4312345677"
PBX = PbxKeys(dial=DIAL, numbers=(read_range("+4312345600..+4312345699"), read_range(BERLIN)))
ANNA = User("anna", "Anna", caller_ids={"DE": BERLIN, "else": FIRM})
AUSTRIA, GERMANY, INSIDE, HELP = (
    DialTarget("+431", "+431", "AT"),
    DialTarget("+49", "+49", "DE"),
    DialTarget("202", "202"),
    DialTarget("112", "112", "AT", emergency=True),
)


@pytest.mark.parametrize(
    ("text", "dialled", "known_as", "country"),
    [
        ("0676 555 66 67", "+436765556667", "+436765556667", "AT"),
        ("+43 (0) 676/5556667", "+436765556667", "+436765556667", "AT"),
        ("0049 30 123456", "+4930123456", "+4930123456", "DE"),
        ("tel:+43-676-5556667;ext=5", "+436765556667", "+436765556667", "AT"),
        ("202", "202", "202", None),
        ("5556667", "5556667", "5556667", None),
        ("112", "112", "112", "AT"),
        ("144", "144", "144", "AT"),
    ],
)
def test_a_number_is_dialled_as_people_mean_it(text: str, dialled: str, known_as: str, country: str | None) -> None:
    target = read_target(text, DIAL, "AT")
    assert (target.exten, target.number, target.country) == (dialled, known_as, country)


def test_a_dialplan_that_wants_national_numbers_gets_them_with_its_prefix() -> None:
    dialled = [read_target(one, NATIONAL, "AT").exten for one in ("+436765556667", "+4930123456", "202", "112")]
    assert dialled == ["906765556667", "9004930123456", "202", "112"]


@pytest.mark.parametrize(
    "text",
    ["", "   ", "*21*+49301234#", "#31#0676", "anonymous", "Anna", "1" * 61, "+43\r\nX: y", "201@out", "${X}", "A,B"],
)
def test_what_is_no_number_is_not_dialled(text: str) -> None:
    with pytest.raises(CommandRefused) as refused:
        read_target(text, DIAL, "AT")
    assert refused.value.code == "bad_number"


@pytest.mark.parametrize(("target", "shown"), [(AUSTRIA, FIRM), (GERMANY, BERLIN), (INSIDE, None), (HELP, FIRM)])
def test_the_caller_id_goes_by_the_country(target: DialTarget, shown: str | None) -> None:
    assert caller_id(ANNA, target, PBX, None, free=False) == shown


def test_a_user_without_caller_ids_leaves_it_to_the_dialplan() -> None:
    assert caller_id(User("bernd", "Bernd"), AUSTRIA, PBX, None, free=False) is None


@pytest.mark.parametrize(
    ("user", "wanted", "free"),
    [
        (ANNA, "+4399999999", True),  # the trunk may not
        (ANNA, CHOSEN, False),  # the trunk may, but it is nobody's own
        (User("clara", "Clara", caller_ids={"else": "+4399999999"}), None, False),
    ],
)
def test_a_caller_id_that_must_not_be_shown_is_refused(user: User, wanted: str | None, free: bool) -> None:
    with pytest.raises(CommandRefused) as refused:
        caller_id(user, AUSTRIA, PBX, wanted, free)
    assert refused.value.code == "caller_id_refused"


def test_a_program_chooses_among_the_numbers_of_the_trunk() -> None:
    assert caller_id(ANNA, AUSTRIA, PBX, CHOSEN, free=True) == CHOSEN


def test_a_call_for_help_is_never_refused_for_its_caller_id() -> None:
    clara = User("clara", "Clara", caller_ids={"else": "+4399999999"})
    assert caller_id(clara, HELP, PBX, None, free=False) is None


def test_the_customer_is_shown_to_the_user_and_is_nobody_s_caller_id() -> None:
    fields = originate_fields("c1", PBX, DIAL, "201", AUSTRIA, FIRM)
    assert "CallerID" not in fields
    assert list(fields["Variable"]) == [
        "CONNECTEDLINE(num)=+431",
        "CALLERID(num)=201",
        "PJSIP_HEADER(add,X-Routing-Engine-Call)=c1",
        f"ROUTING_ENGINE_CALLER_ID={FIRM}",
    ]


def test_headers_of_pjsip_are_given_to_its_channels_alone() -> None:
    fields = originate_fields("c1", PbxKeys(phones="SIP/{extension}"), DIAL, "201", AUSTRIA, None)
    assert (fields["Channel"], list(fields["Variable"])) == (
        "SIP/201",
        ["CONNECTEDLINE(num)=+431", "CALLERID(num)=201"],
    )


@pytest.mark.parametrize(("extension", "asked"), [("201", 1), ("2150", 1), ("202", 0), ("99", 0)])
def test_a_telephone_answers_by_itself_only_where_it_is_named(extension: str, asked: int) -> None:
    assert len(header_variables({"yealink": ("201", "21*")}, extension)) == asked
