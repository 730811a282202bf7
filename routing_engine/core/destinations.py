"""Destination kinds, what their targets may be, and a decision's dialplan variables: the one vocabulary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from routing_engine.core.model import Decision, Destination


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of destination: what a target may be (a whole-match expression), and a sentence that says so."""

    allows: re.Pattern[str]
    says: str
    doc: str


def _kind(allows: str, says: str, doc: str) -> Kind:
    return Kind(re.compile(allows + r"\Z", re.ASCII), says, doc)


_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79}"
_NAME_SAYS = "letters, digits, '.', '-' and '_'"

#: Every kind of destination. docs/ and dialplan/ are checked against this table.
KINDS: Mapping[str, Kind] = {
    "extension": _kind(
        r"[A-Za-z0-9_+*#][A-Za-z0-9_.+*#\-]{0,79}", _NAME_SAYS + ", '+', '*' and '#'", "a telephone of the site"
    ),
    "queue": _kind(_NAME, _NAME_SAYS, "a queue; `priority` puts the caller before those with less"),
    "ring_group": _kind(_NAME, _NAME_SAYS, "telephones that ring together"),
    "ivr": _kind(_NAME, _NAME_SAYS, "a menu"),
    "voicemail": _kind(_NAME + r"(@" + _NAME + r")?", _NAME_SAYS + ", or mailbox@context", "a mailbox"),
    "conference": _kind(_NAME, _NAME_SAYS, "a conference room"),
    "external": _kind(
        r"\+?[0-9*#]{2,24}", "digits, '*' and '#', with a + in front or not", "a number outside, over a trunk"
    ),
    "announcement": _kind(
        r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_.\-/]{0,119}", "the name of a sound", "play a sound and hang up"
    ),
    "hangup": _kind(r"[0-9]{1,3}", "a cause by name or number (1 to 127)", "refuse the call or hang up, with a cause"),
    "callback": _kind(
        r"\+?[0-9]{2,24}", "a number to call back", "note that this number wants a call back, say so and hang up"
    ),
    "route": _kind(r"[A-Za-z0-9][A-Za-z0-9_\-]{1,63}", "the name of a route", "go on with another route"),
    "dialplan": _kind(
        r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79},[A-Za-z0-9_+*#][A-Za-z0-9_.+*#@\-]{0,79},([0-9]{1,5}|[A-Za-z][A-Za-z0-9_\-]{0,39})",
        "context,exten,priority",
        "any place of the dialplan",
    ),
}

#: Names for Q.850 causes; `Hangup()` turns them into SIP answers on an unanswered call.
CAUSES: Mapping[str, int] = {
    "normal": 16,
    "busy": 17,
    "no_answer": 19,
    "rejected": 21,
    "unallocated": 1,
    "congestion": 34,
    "unavailable": 20,
}

_SEPARATED = re.compile(r"[\s\-./()]+")

#: Where each kind begins in the dialplan, by profile: `context,exten,priority`.
PROFILES: Mapping[str, Mapping[str, str]] = {
    "plain": {kind: f"routing-engine-{kind},{{target}},1" for kind in KINDS if kind not in ("route", "dialplan")},
    "freepbx": {
        "extension": "from-did-direct,{target},1",
        "queue": "ext-queues,{target},1",
        "ring_group": "ext-group,{target},1",
        "ivr": "ivr-{target},s,1",
        "voicemail": "ext-local,vmu{target},1",
        "conference": "ext-meetme,{target},1",
        "external": "from-internal,{target},1",
        "announcement": "routing-engine-announcement,{target},1",
        "hangup": "routing-engine-hangup,{target},1",
        "callback": "routing-engine-callback,{target},1",
    },
}

#: The engine's own side effects of `set`, and the channel variable or function each one sets.
SIDE_EFFECTS: Mapping[str, str] = {
    "caller_name": "CALLERID(name)",
    "caller_number": "CALLERID(num)",
    "language": "CHANNEL(language)",
    "music": "CHANNEL(musicclass)",
    "account": "CHANNEL(accountcode)",
    "alert_info": "ROUTE_ALERT_INFO",
    "announce": "ROUTE_ANNOUNCE",
    "record": "ROUTE_RECORD",
}
#: `header.NAME` of `set` is a SIP header on the way to whoever is rung; this is what the dialplan finds it under.
HEADER = "ROUTE_HEADER_"
_HEADER_NAME = re.compile(r"(X-[A-Za-z0-9\-]{1,38}|User-to-User|Call-Info|Subject)\Z", re.ASCII)

_VARIABLE = re.compile(r"_{0,2}[A-Z][A-Z0-9_]{0,59}\Z", re.ASCII)
#: Variables that Asterisk or the engine owns: setting them fails silently or breaks the dialplan.
_RESERVED = frozenset(
    "CALLERID CALLINGPRES CHANNEL CONTEXT EXTEN PRIORITY UNIQUEID LINKEDID HINT EPOCH DATETIME ACCOUNTCODE LANGUAGE "
    "INVALID_EXTEN DIALSTATUS HANGUPCAUSE AGISTATUS AGIEXITONHANGUP AGISIGHUP TRANSFER_CONTEXT GOTO_ON_BLINDXFR "
    "SYSTEMNAME ENTITYID BLINDTRANSFER QUEUE_PRIO".split()
)


def check_target(kind: str, target: str) -> str:
    """Return the target in the form that the dialplan gets. Raises `ValueError` with a sentence when it is refused."""
    text = target.strip()
    if kind in ("external", "callback"):
        text = _SEPARATED.sub("", text)
    if kind == "hangup":
        text = str(CAUSES.get(text.lower(), text))
    if not KINDS[kind].allows.match(text) or (kind == "hangup" and not 1 <= int(text) <= 127):
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise ValueError(
            f"{kind} cannot be '{shown}': it must be {KINDS[kind].says}" if text else f"{kind} has no target"
        )
    return text


def check_variable(name: str) -> None:
    """Raise `ValueError` with a sentence when a rule may not set this channel variable."""
    if name.startswith("header."):
        if not _HEADER_NAME.match(name.removeprefix("header.")):
            raise ValueError(f"'{name}' is no SIP header of ours: write header.X-NAME")
        return
    bare = name.lstrip("_")
    if not _VARIABLE.match(name):
        raise ValueError(f"'{name}' is no channel variable: write capital letters, digits and '_'")
    if bare in _RESERVED or bare.startswith(("ROUTE_", "ROUTING_ENGINE")):
        raise ValueError(f"'{name}' belongs to Asterisk or to the engine and cannot be set")


_EVALUATED = re.compile(r"\$+(?=[{\[])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]")

#: Asterisk's GET VARIABLE gives back no more than 1,023 characters of a value.
MAX_VALUE = 1000


def clean_value(text: str) -> str:
    """Return a text that is safe as a channel variable: no control characters, nothing Asterisk would evaluate."""
    if text.isprintable() and "$" not in text:
        return text[:MAX_VALUE]
    return _EVALUATED.sub("", _CONTROL.sub(" ", text[:MAX_VALUE]))


def dialplan_location(destination: Destination, profile: Mapping[str, str]) -> tuple[str, str, str]:
    """Return context, exten and priority of a destination in a dialplan profile."""
    if destination.kind == "route":  # in a chain: the call comes back to us
        return "routing-engine", destination.target, "1"
    where = destination.target if destination.kind == "dialplan" else profile[destination.kind]
    context, exten, priority = where.replace("{target}", destination.target).split(",")
    return context, exten, priority


def variables(decision: Decision, call_id: str, profile: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the dialplan variables of a decision in the order they are set; `ROUTE_STATUS` is the last."""
    found = _side_effects(decision.sets)
    found += [
        ("ROUTE_REASON", decision.reason),
        ("ROUTE_NAME", decision.route),
        ("ROUTE_RULE", decision.rule),
        ("ROUTE_REVISION", decision.revision),
        ("ROUTE_CALL_ID", call_id),
        ("ROUTE_RECORD_URL", decision.record.url if decision.record is not None else ""),
    ]
    if decision.destination is not None:
        found += _destination_variables(decision.destination, decision.chain, profile)
    found = [(name, clean_value(value)) for name, value in found]
    return [*found, ("ROUTE_STATUS", "FALLBACK" if decision.failed else "OK")]


def _side_effects(sets: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Return what `set` sets. Headers are numbered, `__` lets the channels that are rung inherit them.

    An empty header, and an announcement that is no sound, are left out: nobody would see or hear them.
    """
    found, headers = [], 0
    for name, value in sets:
        if name.startswith("header."):
            if value.strip():
                headers += 1
                found.append((f"__{HEADER}{headers}", f"{name.removeprefix('header.')}: {value.strip()}"))
        elif name != "announce" or KINDS["announcement"].allows.match(value):
            found.append((SIDE_EFFECTS.get(name, name), value))
    return found


def _destination_variables(
    destination: Destination, chain: tuple[Destination, ...], profile: Mapping[str, str]
) -> list[tuple[str, str]]:
    context, exten, priority = dialplan_location(destination, profile)
    found = [("ROUTE_KIND", destination.kind), ("ROUTE_TARGET", destination.target)]
    if destination.priority is not None:
        found.append(("QUEUE_PRIO", str(destination.priority)))
    if destination.ring_s is not None:
        found.append(("ROUTE_RING_S", str(destination.ring_s)))
    if chain:
        found.append(("ROUTE_CHAIN", _chain(chain, profile)))
    return [*found, ("ROUTE_CONTEXT", context), ("ROUTE_EXTEN", exten), ("ROUTE_PRIORITY", priority)]


def _chain(chain: tuple[Destination, ...], profile: Mapping[str, str]) -> str:
    """Join as many entries as a variable holds whole. The last, which is the route's default, is always one of them."""
    *others, last = [_chained(one, profile) for one in chain]
    while others and len("&".join([*others, last])) > MAX_VALUE:
        others.pop()
    return "&".join([*others, last])


def _chained(destination: Destination, profile: Mapping[str, str]) -> str:
    """Return an entry of ROUTE_CHAIN: `kind:target:priority:ring_s:context:exten:label`; targets hold no `:` or `&`."""
    given = ["" if value is None else str(value) for value in (destination.priority, destination.ring_s)]
    return ":".join([destination.kind, destination.target, *given, *dialplan_location(destination, profile)])
