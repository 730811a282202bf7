"""What a hub may have done at the Asterisk behind an edge, and what not, whoever has got into it."""

from __future__ import annotations

import pytest

from routing_engine.dialling.originate import originate_fields
from routing_engine.dialling.wish import DialTarget
from routing_engine.edges.allowed import check_action, check_originate, check_rest
from routing_engine.errors import AmiRefused
from routing_engine.settings.dialling import MAKERS, DialKeys
from routing_engine.settings.pbx import PbxKeys

CHANNEL = {"Channel": "PJSIP/201-00000001"}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("CoreShowChannels", {}),
        ("Hangup", {**CHANNEL, "Cause": "16"}),
        ("BlindTransfer", {**CHANNEL, "Context": "from-internal", "Exten": "202"}),
        ("Setvar", {**CHANNEL, "Variable": "__ROUTING_ENGINE_CALLER_ID", "Value": "+4312345601"}),
        ("PJSIPNotify", {**CHANNEL, "Variable": "Event=hold"}),
    ],
)
def test_what_people_do_with_a_call_is_done(name: str, fields: dict[str, str]) -> None:
    check_action(name, fields)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Command", {"Command": "core stop now"}),
        ("hangup", CHANNEL),
        ("Originate", {**CHANNEL, "Application": "System", "Data": "reboot"}),
        ("UpdateConfig", {}),
        ("Getvar", {"Variable": "SHELL(id)"}),
        ("Setvar", {"Variable": "GLOBAL", "Value": "1"}),
        ("Setvar", {**CHANNEL, "Variable": "MONITOR_EXEC", "Value": "touch /tmp/x"}),
        ("Setvar", {**CHANNEL, "Variable": "__MIXMON_POST", "Value": "touch /tmp/x"}),
        ("Setvar", {**CHANNEL, "Variable": "FILE(/etc/cron.d/x)", "Value": "* * * * * root id"}),
        ("Setvar", {**CHANNEL, "Variable": "X", "Value": "${SHELL(id)}"}),
        ("Redirect", {**CHANNEL, "Context": "x", "Exten": "1", "ExtraChannel": "PJSIP/202-1"}),
        ("PJSIPNotify", {**CHANNEL, "Variable": "Event=check-sync;reboot=true"}),
        ("PJSIPNotify", {"URI": "sip:x@example.com", "Variable": "Event=hold"}),
    ],
)
def test_nothing_else_is_done(name: str, fields: dict[str, str]) -> None:
    with pytest.raises(AmiRefused, match="an edge"):
        check_action(name, fields)


@pytest.mark.parametrize(
    "more",
    [
        {"Application": "System"},
        {"application": "System"},
        {"Data": "reboot"},
        {"Variable": ["SHELL(x)=y"]},
        {"Variable": "MIXMONITOR_FILENAME=/etc/passwd"},
        {"Variable": "A=${FILE(/etc/passwd)}"},
        {"Variable": "A=1,MONITOR_EXEC=touch /tmp/x"},
    ],
)
def test_a_call_goes_into_the_dialplan_and_takes_nothing_with_it_that_asterisk_reads(more: dict[str, str]) -> None:
    with pytest.raises(AmiRefused, match="an edge"):
        check_originate({"Channel": "PJSIP/201", "Context": "from-internal", **more})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/asterisk/config/dynamic/res_pjsip/auth/201"),
        ("PUT", "/asterisk/config/dynamic/res_pjsip/endpoint/201"),
        ("PUT", "/asterisk/config/dynamic/res_pjsip/auth/../endpoint/201"),
        ("PUT", "/asterisk/config/dynamic/res_pjsip/auth/..%2fendpoint"),
        ("DELETE", "/channels/1"),
    ],
)
def test_only_the_password_of_a_telephone_is_set(method: str, path: str) -> None:
    with pytest.raises(AmiRefused, match="passwords"):
        check_rest(method, path)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_click_is_let_through_as_it_is_sent(maker: str) -> None:
    dial = DialKeys(context="from-internal", auto_answer={maker: ("2*",)})
    target = DialTarget("+436641234567", "+436641234567", "AT")
    check_originate(originate_fields("c1", PbxKeys(dial=dial), dial, "201", target, "+4312345601"))
