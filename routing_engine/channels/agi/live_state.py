"""Live state as Asterisk's dialplan functions tell it: the expression to ask for, and what its answer means.

Touches no socket. Functions: func_devstate (DEVICE_STATE) or func_extstate (EXTENSION_STATE), app_queue, func_db and
res_stir_shaken. One that is not loaded gives "" and an error in Asterisk's log.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from routing_engine.core.model import Caller, Operand, Value

#: How an extension's state is asked for unless the site says otherwise. FreePBX: `EXTENSION_STATE({target}@ext-local)`.
EXTENSION_STATE = "DEVICE_STATE(PJSIP/{target})"
#: Where the dialplan notes whom a caller spoke to: family, then the caller's number; the value is `EXTENSION,EPOCH`.
AGENTS = "routing-engine-agent"
ATTESTATIONS = "STIR_SHAKEN(count)"
ATTESTATION = "${STIR_SHAKEN(0,verify_result)},${STIR_SHAKEN(0,attestation)}"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-]{0,79}\Z", re.ASCII)
_AGENT = re.compile(r"[A-Za-z0-9_+*#][A-Za-z0-9_.+*#\-]{0,79}\Z", re.ASCII)
_NUMBER = re.compile(r"\+?[0-9]{1,20}\Z", re.ASCII)
_STATE = re.compile(r"[a-z_]{1,20}\Z", re.ASCII)
_QUEUE = {
    "members": "QUEUE_MEMBER({queue},logged)",
    "free": "QUEUE_MEMBER({queue},free)",
    "waiting": "QUEUE_WAITING_COUNT({queue})",
}
#: What res_stir_shaken calls a good signature, today and in versions before 21, and a call that has none.
_VERIFIED = ("success", "Verification passed")
_UNSIGNED = ("missing_identity_hdr", "disabled", "Verification not present")


def expression(left: Operand, caller: Caller, extension_state: str) -> str:
    """Return the dialplan expression that tells a left side; "" where there is nothing to ask.

    A name with anything in it that Asterisk might evaluate is not asked for: the route's reader has refused it already.
    """
    if left.scope == "device" and _NAME.match(left.name):
        return f"${{{extension_state.replace('{target}', left.name)}}}"
    if left.scope == "queue":
        queue, _, what = left.name.rpartition(".")
        if _NAME.match(queue) and what in _QUEUE:
            # A queue that does not exist has 0 members too.
            return f"${{QUEUE_EXISTS({queue})}},${{{_QUEUE[what].format(queue=queue)}}}"
    if left.scope == "last_agent" and caller.number is not None and _NUMBER.match(caller.number.digits):
        return f"${{DB({AGENTS}/{caller.number.digits})}}"
    return ""


def meaning(left: Operand, answer: str, zone: tzinfo | None) -> Value:
    """Return the value that an answer stands for; None when it tells nothing."""
    if left.scope == "device":
        state = answer.strip().lower()
        return state if _STATE.match(state) else None
    first, _, second = answer.partition(",")
    if left.scope == "queue":
        return int(second) if first == "1" and second.isascii() and second.isdigit() else None
    return _agent(first.strip(), second.strip(), zone)


def _agent(extension: str, epoch: str, zone: tzinfo | None) -> Value:
    if not _AGENT.match(extension) or not (epoch.isascii() and epoch.isdigit()) or len(epoch) > 11:
        return None
    return extension, datetime.fromtimestamp(int(epoch), zone).isoformat()


def attested(answer: str) -> str:
    """Return what a call's first signature is worth: A, B or C when it was verified, else `failed`, or `none`."""
    result, _, level = answer.partition(",")
    if result in _VERIFIED and level in ("A", "B", "C"):
        return level
    return "none" if result in _UNSIGNED else "failed"
