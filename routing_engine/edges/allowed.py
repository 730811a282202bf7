"""What a hub may have done at a PBX. It says what it wants; whoever gets into it does not get into the Asterisk.

Calls are led into the dialplan, to where the PBX's own people could dial; nothing here runs a program, reads a file or
changes a setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from routing_engine.core.reserved_variables import is_reserved
from routing_engine.errors import AmiRefused
from routing_engine.settings.dialling import CALLER_ID_VARIABLE

Fields: TypeAlias = Mapping[str, str | Sequence[str]]

#: By their fields, in Asterisk's spelling: another field is refused.
ACTIONS: Mapping[str, frozenset[str]] = {
    "CoreShowChannels": frozenset(),
    "Status": frozenset(("Channel", "Variables")),
    "Hangup": frozenset(("Channel", "Cause")),
    "Redirect": frozenset(("Channel", "Context", "Exten", "Priority")),
    "BlindTransfer": frozenset(("Channel", "Context", "Exten")),
    "Atxfer": frozenset(("Channel", "Context", "Exten")),
    "CancelAtxfer": frozenset(("Channel",)),
    "MixMonitorMute": frozenset(("Channel", "Direction", "State", "MixMonitorID")),
    "PJSIPNotify": frozenset(("Channel", "Variable")),
    "Setvar": frozenset(("Channel", "Variable", "Value")),
}
#: `Application` would run any application of the dialplan, System too.
ORIGINATE = frozenset(("Channel", "Context", "Exten", "Priority", "Timeout", "Variable", "CallerID"))
#: A phone is held and taken up again by these; another event may make it load a file.
_NOTIFIED = frozenset(("Event=hold", "Event=talk"))
#: What a phone shows, and the headers by which it answers by itself. Other functions may write files.
_FUNCTIONS = re.compile(r"(?:CALLERID\(num\)|CONNECTEDLINE\(num\)|PJSIP_HEADER\(add,[A-Za-z0-9-]+\))\Z", re.ASCII)
_NAME = re.compile(r"_{0,2}([A-Za-z][A-Za-z0-9_]*)\Z", re.ASCII)
#: The password of a telephone, for one session.
_REST = re.compile(r"/asterisk/config/dynamic/res_pjsip/auth/[A-Za-z0-9_%.-]+\Z", re.ASCII)


def check_action(name: str, fields: Fields) -> None:
    """Raise `AmiRefused` for an action that a hub may not have done."""
    known = ACTIONS.get(name)
    if known is None or not known.issuperset(fields):
        raise AmiRefused(
            f"an edge does not let a hub do '{name[:80]}'" + ("" if known is None else " with these fields")
        )
    if name == "PJSIPNotify" and fields.get("Variable") not in _NOTIFIED:
        raise AmiRefused("an edge lets a hub hold a phone and take it up only")
    if name == "Setvar":
        # Without a channel it would be a variable of all calls.
        if "Channel" not in fields:
            raise AmiRefused("an edge lets a hub set variables of a channel only")
        _check_variable(str(fields.get("Variable", "")), str(fields.get("Value", "")))


def check_originate(fields: Fields) -> None:
    """Raise `AmiRefused` for a call that would not go into the dialplan, or sets what Asterisk reads."""
    if not ORIGINATE.issuperset(fields):
        raise AmiRefused("an edge lets a hub call into the dialplan only")
    variables = fields.get("Variable", ())
    for one in (variables,) if isinstance(variables, str) else variables:
        name, _, value = one.partition("=")
        if "," in value:
            # Asterisk reads it as the beginning of another variable.
            raise AmiRefused("an edge does not let a hub set several variables in one")
        _check_variable(name, value)


def check_rest(method: str, path: str) -> None:
    """Raise `AmiRefused` for a request that sets no password of a telephone."""
    if method not in ("PUT", "DELETE") or not _REST.match(path) or ".." in path:
        raise AmiRefused("an edge lets a hub set passwords of telephones only")


def _check_variable(name: str, value: str) -> None:
    plain = _NAME.match(name)
    own = plain is not None and (plain[1] == CALLER_ID_VARIABLE or not is_reserved(plain[1]))
    if not (own or _FUNCTIONS.match(name)):
        raise AmiRefused(f"an edge does not let a hub set '{name[:80]}'")
    if "${" in value or "$[" in value:
        raise AmiRefused("an edge does not let a hub set what Asterisk would evaluate")
