"""Destination kinds, one row each, and a decision's dialplan variables: the one vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from routing_engine.core.compare import as_number
from routing_engine.core.model import Decision, Destination, Site, Value
from routing_engine.core.phone import dialled_from, read_number
from routing_engine.core.redact import mask_number, visible
from routing_engine.core.reserved_variables import is_reserved


@dataclass(frozen=True, slots=True)
class Reach:
    """The live state that says whether a destination can be reached: `device.TARGET`, `queue.TARGET.members`.

    `why_not(state)` returns why it cannot, "" when it can or when the state does not tell.
    """

    scope: Literal["device", "queue"]
    name: str
    why_not: Callable[[Value], str]


@dataclass(frozen=True, slots=True)
class DestinationKind:
    """One kind of destination, whole: reading, checks, dialplan, logs and examples follow from its row alone.

    `allows` is what a target may be after `form` has brought it into the form that the dialplan gets; `says` is that
    as a sentence. `label` is how people read it. `bare` is the target where the kind is written alone, "" when it
    cannot be; one that holds values may be left out of an example, too. `freepbx` is its place in that profile, ""
    where our own dialplan is used there as well; `fixed` is its place in every profile.
    """

    allows: re.Pattern[str]
    says: str
    doc: str
    label: str
    form: Callable[[str], str] = str
    bare: str = ""
    freepbx: str = ""
    fixed: str = ""
    rings: bool = False
    has_priority: bool = False
    #: The target is somebody's number: masked in logs unless the site wants them plain.
    is_number: bool = False
    #: It costs money: what a value may dial can be narrowed.
    is_outside: bool = False
    reach: Reach | None = None
    #: The call begins anew with the route that the target names.
    is_route: bool = False
    #: Who it is is looked up when the call is there, and is an extension then: the target says how long it counts.
    is_looked_up: bool = False


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
#: Device states in which a telephone would not ring for a new call. One that is not known is tried.
UNREACHABLE = frozenset({"busy", "inuse", "ringing", "ringinuse", "onhold", "unavailable", "invalid"})


def _without_separators(text: str) -> str:
    return _SEPARATED.sub("", text)


def _cause(text: str) -> str:
    return str(CAUSES.get(text.lower(), text))


def _device_why_not(state: Value) -> str:
    return str(state) if state in UNREACHABLE else ""


def _queue_why_not(members: Value) -> str:
    return "it has no members" if as_number(members) == 0 else ""


def _allow(expression: str) -> re.Pattern[str]:
    return re.compile(expression + r"\Z", re.ASCII)


_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79}"
_NAME_SAYS = "letters, digits, '.', '-' and '_'"

#: Every kind of destination that a call can go to. docs/ and dialplan/ are checked against this table.
KINDS: Mapping[str, DestinationKind] = {
    "extension": DestinationKind(
        _allow(r"[A-Za-z0-9_+*#][A-Za-z0-9_.+*#\-]{0,79}"),
        _NAME_SAYS + ", '+', '*' and '#'",
        "a telephone of the site",
        "extension",
        freepbx="from-did-direct,{target},1",
        rings=True,
        reach=Reach("device", "{target}", _device_why_not),
    ),
    "queue": DestinationKind(
        _allow(_NAME),
        _NAME_SAYS,
        "a queue; `priority` puts the caller before those with less",
        "queue",
        freepbx="ext-queues,{target},1",
        rings=True,
        has_priority=True,
        reach=Reach("queue", "{target}.members", _queue_why_not),
    ),
    "ring_group": DestinationKind(
        _allow(_NAME),
        _NAME_SAYS,
        "telephones that ring together",
        "ring group",
        freepbx="ext-group,{target},1",
        rings=True,
    ),
    "ivr": DestinationKind(_allow(_NAME), _NAME_SAYS, "a menu", "ivr", freepbx="ivr-{target},s,1"),
    "voicemail": DestinationKind(
        _allow(_NAME + r"(@" + _NAME + r")?"),
        _NAME_SAYS + ", or mailbox@context",
        "a mailbox",
        "voicemail",
        freepbx="ext-local,vmu{target},1",
    ),
    "conference": DestinationKind(
        _allow(_NAME), _NAME_SAYS, "a conference room", "conference", freepbx="ext-meetme,{target},1"
    ),
    "external": DestinationKind(
        _allow(r"\+?[0-9*#]{2,24}"),
        "digits, '*' and '#', with a + in front or not",
        "a number outside, over a trunk",
        "external",
        form=_without_separators,
        freepbx="from-internal,{dialled},1",
        rings=True,
        is_number=True,
        is_outside=True,
    ),
    "announcement": DestinationKind(
        _allow(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_.\-/]{0,119}"),
        "the name of a sound",
        "play a sound and hang up",
        "announcement",
    ),
    "hangup": DestinationKind(
        _allow(r"(?!0+\Z)([0-9]{1,2}|0[0-9]{2}|1[01][0-9]|12[0-7])"),
        "a cause by name or number (1 to 127)",
        "refuse the call or hang up, with a cause",
        "hangup with cause",
        form=_cause,
        bare="normal",
    ),
    "callback": DestinationKind(
        _allow(r"\+?[0-9]{2,24}"),
        "a number to call back",
        "note that this number wants a call back, say so and hang up",
        "callback to",
        form=_without_separators,
        bare="{call.caller}",
        is_number=True,
    ),
    "route": DestinationKind(
        _allow(r"[A-Za-z0-9][A-Za-z0-9_\-]{1,63}"),
        "the name of a route",
        "go on with another route",
        "route",
        fixed="routing-engine,{target},1",  # in a chain: the call comes back to us
        is_route=True,
    ),
    "dialplan": DestinationKind(
        _allow(
            r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79},[A-Za-z0-9_+*#][A-Za-z0-9_.+*#@\-]{0,79},"
            r"([0-9]{1,5}|[A-Za-z][A-Za-z0-9_\-]{0,39})"
        ),
        "context,exten,priority",
        "any place of the dialplan",
        "dialplan",
        fixed="{target}",
    ),
}
#: Every kind that may be written: those above, and those that become one of them while the call is there.
WRITTEN: Mapping[str, DestinationKind] = {
    **KINDS,
    "last_agent": DestinationKind(
        _allow(r"[1-9][0-9]{0,2} days?"),
        "how long it counts, such as 14 days",
        "the extension that the caller spoke to last",
        "last agent within days",
        rings=True,
        is_looked_up=True,
    ),
}


def dialplan_places(profile: str) -> Mapping[str, str]:
    """Return where each kind begins in a profile; kinds whose place is fixed are not among them."""
    ours = {kind: f"routing-engine-{kind},{{target}},1" for kind, row in KINDS.items() if not row.fixed}
    return ours if profile == "plain" else {kind: KINDS[kind].freepbx or place for kind, place in ours.items()}


#: Where each kind begins in the dialplan, by profile: `context,exten,priority`.
PROFILES: Mapping[str, Mapping[str, str]] = {profile: dialplan_places(profile) for profile in ("plain", "freepbx")}


@dataclass(frozen=True, slots=True)
class SideEffect:
    """One side effect of `set`: the channel variable or function that it sets, and what its value must be.

    A `name` stands among the options of an application of the dialplan, where a comma or a bracket would be an option.
    An `announcement` is a name that the dialplan looks for below its sounds only.
    """

    variable: str
    holds: Literal["text", "number", "language", "name", "announcement"] = "text"


#: The engine's own side effects of `set`. docs/ is checked against this table.
SIDE_EFFECTS: Mapping[str, SideEffect] = {
    "caller_name": SideEffect("CALLERID(name)"),
    "caller_number": SideEffect("CALLERID(num)", "number"),
    "language": SideEffect("CHANNEL(language)", "language"),
    "music": SideEffect("CHANNEL(musicclass)", "name"),
    "account": SideEffect("CHANNEL(accountcode)"),
    "alert_info": SideEffect("ROUTE_ALERT_INFO"),
    "announce": SideEffect("ROUTE_ANNOUNCE", "announcement"),
    "record": SideEffect("ROUTE_RECORD", "name"),
}
#: `header.NAME` of `set` is a SIP header on the way to whoever is rung; this is what the dialplan finds it under.
HEADER = "ROUTE_HEADER_"
_HEADER_NAME = re.compile(r"(X-[A-Za-z0-9\-]{1,38}|User-to-User|Call-Info|Subject)\Z", re.ASCII)

_VARIABLE = re.compile(r"_{0,2}[A-Z][A-Z0-9_]{0,59}\Z", re.ASCII)


def check_target(kind: str, target: str) -> str:
    """Return the target in the form that the dialplan gets. Raises `ValueError` with a sentence when it is refused."""
    row = WRITTEN[kind]
    text = row.form(target.strip())
    if not text:
        raise ValueError(f"{kind} has no target")
    if not row.allows.match(text):
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise ValueError(f"{kind} cannot be '{shown}': it must be {row.says}")
    return text


def say_destination(destination: Destination | None, plain: bool = True) -> str:
    """Return a destination as people read it: `queue vip, priority 10`, `ring group 600, for 20 s`; "" for none.

    Without `plain` a number outside is masked as a caller's is.
    """
    if destination is None:
        return ""
    row, target = KINDS.get(destination.kind), destination.target
    label = row.label if row is not None else destination.kind  # an old journal may name a kind that is gone
    masked = row is not None and row.is_number and not plain
    said = f"{label} {mask_number(target) if masked else target}"
    said += f", priority {destination.priority}" if destination.priority is not None else ""
    return said + (f", for {destination.ring_s} s" if destination.ring_s is not None else "")


_SHOWN_NUMBER = re.compile(r"\+?[0-9*#]{0,31}\Z", re.ASCII)


def check_shown_number(text: str) -> str:
    """Return a number as the telephone shows it, "" for none. Raises `ValueError`: it becomes a part of an address."""
    number = _without_separators(text)
    if not _SHOWN_NUMBER.match(number):
        raise ValueError(f"'{text[:40]}' is not a number")
    return number


def check_outside(target: str, site: Site) -> None:
    """Raise `ValueError` where engine.yaml does not let a value dial this number outside."""
    if site.outside is None:
        return
    number = read_number(target, site.region)
    if number is None or not number.e164.startswith(site.outside):
        raise ValueError("engine.yaml does not let a value dial this number: see external.allow")


def check_variable(name: str, allowed: tuple[str, ...] | None = None) -> None:
    """Raise `ValueError` with a sentence when a rule may not set this channel variable.

    `allowed` are the operator's own names, with a `*` for any rest; None is all that belong to nobody.
    """
    if name.startswith("header."):
        if not _HEADER_NAME.match(name.removeprefix("header.")):
            raise ValueError(f"'{name}' is not a SIP header that may be set: write header.X-NAME")
        return
    bare = name.lstrip("_")
    if not _VARIABLE.match(name):
        raise ValueError(f"'{name}' is not a channel variable: write capital letters, digits and '_'")
    if is_reserved(bare):
        raise ValueError(f"'{name}' belongs to Asterisk, FreePBX or the engine and cannot be set: take another name")
    if allowed is not None and not any(_stands_for(one, bare) for one in allowed):
        raise ValueError(f"'{name}' is not among dialplan.variables of engine.yaml: {', '.join(allowed) or 'none is'}")


def _stands_for(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


#: `${...}` and `$[...]` are evaluated by the dialplan; app_queue turns `^{...}` into `${...}` in what it hands on.
_EVALUATED = re.compile(r"[$^]+(?=[{\[])")

#: Asterisk's GET VARIABLE gives back no more than 1,023 characters of a value.
MAX_VALUE = 1000


def clean_value(text: str) -> str:
    """Return a text that is safe as a channel variable: no control characters, nothing Asterisk would evaluate."""
    return text if _is_clean(text) else _EVALUATED.sub("", visible(text[:MAX_VALUE]))


def _is_clean(text: str) -> bool:
    return text.isprintable() and "$" not in text and "^" not in text and len(text) <= MAX_VALUE


#: `{dialled}` of a place, once the site's region is in it: a number as it is dialled there.
_DIALLED = re.compile(r"\{dialled(?::([A-Z]{2}))?\}")


def places_in(places: Mapping[str, str], region: str) -> Mapping[str, str]:
    """Return places with the region that their `{dialled}` numbers are dialled in."""
    dialled = f"{{dialled:{region}}}" if region else "{dialled}"
    return {kind: place.replace("{dialled}", dialled) for kind, place in places.items()}


def dialplan_location(destination: Destination, profile: Mapping[str, str]) -> tuple[str, str, str]:
    """Return context, exten and priority of a destination in a dialplan profile."""
    where, target = KINDS[destination.kind].fixed or profile[destination.kind], destination.target
    if "{dialled" in where:
        where = _DIALLED.sub(lambda found: dialled_from(target, found[1] or ""), where)
    context, exten, priority = where.replace("{target}", target).split(",")
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
    # Seen of all values together: nearly always there is nothing to clean.
    if not _is_clean("".join([value for _, value in found])):
        found = [(name, clean_value(value)) for name, value in found]
    return [*found, ("ROUTE_STATUS", "FALLBACK" if decision.failed else "OK")]


def _side_effects(sets: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Return what `set` sets. Headers are numbered, `__` lets the channels that are rung inherit them.

    An empty header, and an announcement that is not a sound, are left out: nobody would see or hear them.
    """
    found, headers = [], 0
    for name, value in sets:
        if name.startswith("header."):
            if value.strip():
                headers += 1
                found.append((f"__{HEADER}{headers}", f"{name.removeprefix('header.')}: {value.strip()}"))
            continue
        effect = SIDE_EFFECTS.get(name, SideEffect(name))
        if effect.holds != "announcement" or KINDS["announcement"].allows.match(value):
            found.append((effect.variable, value))
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
