"""Who calls, read from what carriers, gateways and telephone systems really send."""

from __future__ import annotations

from datetime import datetime

import pytest

from routing_engine.core.caller import arrived
from routing_engine.core.conditions import why_not
from routing_engine.core.model import Caller, Comparison, Condition, ConditionGroup, Operand
from routing_engine.core.phone import Plus
from routing_engine.core.templates import Facts

NOW = datetime(2026, 11, 30, 10, 0)


def caller(number: str, called: str = "", name: str = "", region: str = "US", plus: Plus = "") -> Caller:
    return arrived(number, NOW, region, name=name, called=called, plus=plus)


@pytest.mark.parametrize(
    "sent",
    [
        "+12155550142;verstat=TN-Validation-Passed",
        "tel:+12155550142",
        "12155550142",
        '"Anna" <+12155550142>',
        "Anna <sip:+12155550142@carrier.example:5060;transport=udp>",
        "sip:2155550142:secret@carrier.example",
        "callto:+12155550142",
        "+1\u2011215\u2011555\u20110142",
        "\u202a+12155550142\u202c",
        "\uff0b12155550142",
        "+12155550142,",
    ],
)
def test_what_a_carrier_puts_around_a_number_is_not_it(sent: str) -> None:
    found = caller(sent, called="+12155550100;npdi", name="Anna")
    assert found.number is not None
    assert (found.number.e164, found.hidden, found.name) == ("+12155550142", False, "Anna")
    assert (found.called, found.called_line) == ("+12155550100", "+12155550100")


@pytest.mark.parametrize(
    "sent",
    [
        *("0000000000", "0", "+0000", "+266696687", "+86282452253", "+1 (000) 000-0000", "anonymous;cpc=payphone"),
        *("No Caller ID", "Blocked", "P", "Anonyme", "Unterdrückt"),
    ],
)
def test_a_caller_who_hides_behind_a_placeholder_is_hidden_with_his_name(sent: str) -> None:
    found = caller(sent, name="Anna")
    assert (found.number, found.hidden, found.name, found.unread) == (None, True, "", "")


@pytest.mark.parametrize("sent", ["O", "Out of Area", "null", "None", "-", "N/A", "Unbekannt"])
def test_a_number_that_nobody_knows_leaves_the_name(sent: str) -> None:
    found = caller(sent, name="Anna")
    assert (found.number, found.hidden, found.name, found.unread) == (None, True, "Anna", "")


@pytest.mark.parametrize("sent", ["+6530000000", "+43100000000", "8656696", "7378742833"])
def test_many_zeros_and_words_on_a_keypad_may_be_somebody_s_number(sent: str) -> None:
    assert (caller(sent).hidden, caller(sent).number is not None) == (False, True)


def test_what_is_not_a_number_is_kept_for_the_trail() -> None:
    assert (caller("door").unread, caller("door").hidden) == ("door", False)


@pytest.mark.parametrize("name", ["+12155550142", "2155550142"])
def test_a_number_that_is_lent_as_a_name_is_no_name(name: str) -> None:
    assert caller("2155550142", name=name).name == ""


def test_a_carrier_that_leaves_the_plus_out_says_so() -> None:
    found = caller("436641234567", called="4930123456", region="DE", plus="missing")
    assert found.number is not None
    assert (found.number.e164, found.called_line) == ("+436641234567", "+4930123456")


def holds(condition: Condition, called: str) -> bool:
    return why_not(condition, Facts(caller("+12155550142", called=called), {})) == ""


CALLED = Operand("call", "called")
DID = Comparison(CALLED, "is", "+12155550100")


@pytest.mark.parametrize("called", ["12155550100", "2155550100", "+12155550100", "+12155550100;npdi"])
def test_a_number_dialled_is_the_line_that_a_rule_writes_with_its_plus(called: str) -> None:
    assert holds(DID, called)
    assert not holds(ConditionGroup("none", (DID,)), called)
    assert holds(Comparison(CALLED, "one_of", ("+12155550199", "+12155550100")), called)
    assert holds(Comparison(CALLED, "starts_with", "+1215"), called)
    assert not holds(Comparison(CALLED, "is_not", "+12155550100"), called)


def test_another_number_dialled_is_another_line_and_as_it_arrived_it_can_be_compared_too() -> None:
    assert not holds(DID, "12155550101")
    assert holds(Comparison(CALLED, "is", "2155550100"), "2155550100")
    assert holds(Comparison(CALLED, "is", "217"), "217")
