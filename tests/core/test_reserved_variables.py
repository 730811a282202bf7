"""Which channel variables a rule may set: none that Asterisk, FreePBX or the engine reads or writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from routing_engine.core.destinations import check_variable, clean_value
from routing_engine.core.reserved_variables import RESERVED_NAMES, RESERVED_PREFIXES, is_reserved

DIALPLAN = (Path(__file__).parents[2] / "dialplan" / "routing-engine.conf").read_text()
#: One or more of each kind: a shell command, a file, an option of Dial() or Queue(), what leads the call elsewhere.
DANGEROUS = (
    *("MONITOR_EXEC", "MONITOR_OPTIONS", "MONITOR_FILENAME", "MIXMONITOR_FILENAME", "TOUCH_MIXMONITOR"),
    *("TOUCH_MIXMONITOR_OPTIONS", "TOUCH_MONITOR", "MIXMON_POST", "MIXMON_DIR", "DIAL_OPTIONS", "DIAL_TRUNK_OPTIONS"),
    *("QUEUE_PRIO", "QUEUE_MAX_PENALTY", "VQ_DEST", "VQ_AGI", "VQ_GOSUB", "SIPADDHEADER", "SIPADDHEADER01", "ARG1"),
    *("EXITCONTEXT", "FORWARD_CONTEXT", "TRANSFER_CONTEXT", "GOTO_ON_BLINDXFR", "MACRO_CONTEXT", "DYNAMIC_FEATURES"),
    *("OUTBOUND_GROUP", "LIMIT_WARNING_FILE", "MEETME_AGI_BACKGROUND", "AGIEXECFULL", "NODEST", "MOHCLASS", "AMPUSER"),
    *("CALLINGNUMPRES_SV", "TRUNKOUTCID", "REC_POLICY_MODE", "SIPHEADERS", "ALERT_INFO", "RINGTIMER", "ROUTE_STATUS"),
    *("ROUTING_ENGINE_EMERGENCY", "CONTEXT", "EXTEN", "UNIQUEID", "PJSIP_HEADER", "VM_CONTEXT", "SPY_EXIT_CONTEXT"),
)


@pytest.mark.parametrize("name", DANGEROUS)
@pytest.mark.parametrize("inherited", ["", "_", "__"])
def test_a_variable_of_the_telephone_system_cannot_be_set(name: str, inherited: str) -> None:
    with pytest.raises(ValueError, match="belongs to Asterisk, FreePBX or the engine"):
        check_variable(inherited + name)


@pytest.mark.parametrize("name", ["CRM_ID", "TICKET", "CUSTOMER_TIER", "CALLER_SINCE", "AGENT_NOTE", "__ORDER", "X1"])
def test_a_variable_of_ones_own_can_be_set(name: str) -> None:
    check_variable(name)


def test_what_the_shipped_dialplan_reads_is_reserved() -> None:
    read = set(re.findall(r"\$\{_{0,2}([A-Z][A-Z0-9_]+)[:}]", DIALPLAN))
    assert {name for name in read if not is_reserved(name)} == set()


def test_no_name_stands_twice() -> None:
    assert not [name for name in RESERVED_NAMES if name.startswith(RESERVED_PREFIXES)]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("${SHELL(id)}", "{SHELL(id)}"),
        ("$[1+1]", "[1+1]"),
        ("^{ENV(HOME)}", "{ENV(HOME)}"),
        ("$^${X}", "{X}"),
        ("a^b$", "a^b$"),
    ],
)
def test_what_asterisk_would_evaluate_loses_its_sign(value: str, kept: str) -> None:
    assert clean_value(value) == kept
