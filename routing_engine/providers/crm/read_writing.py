"""The keys of a description that write: entries of calls, whose they are, new records."""

from __future__ import annotations

from dataclasses import dataclass, replace

from routing_engine.calls.ports import LogAt
from routing_engine.providers.answers.path import Path, read_path
from routing_engine.providers.crm.model import Attempt, ClickPaths, Creation, Match, Writing
from routing_engine.providers.crm.read_parts import AttemptKeys, StepKeys, read_attempt, read_step, read_steps
from routing_engine.providers.crm.read_requests import compiled, read_marked
from routing_engine.providers.crm.read_rules import CONDITION, path
from routing_engine.providers.crm.requests import Known, Where
from routing_engine.providers.crm.templates import TextTemplate
from routing_engine.providers.crm.writing import makes_entry
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.value_types import TEXT, choice, list_of, one_or_more, parsed, raw, text
from routing_engine.settings.yaml_reader import Section, YamlValue, suggest

#: What `{call.NAME}` may be in steps that write.
CALL_VALUES = frozenset(
    "id kind direction outcome from to number did started_at answered_at ended_at duration_s talk_s queue subject body "
    "notes tags sentiment disposition link agent crm_id recording_url recording_name recording_type recording_seconds "
    "recording recording_base64".split()
)
_USER_VALUES = frozenset({"id", "name", "email", "extension"})
_ANYTHING: frozenset[str] | None = None
_OBJECT = raw("mapping", {"type": "object"})
_STEPS = list_of(_OBJECT).called("list of [steps](#a-step)")
_SEARCHES = list_of(_OBJECT).called("list of [searches](#a-search-for-one)")


@dataclass(frozen=True, slots=True)
class ClickKeys:
    """Where the parts of a click stand in what the system sends; a form's `data[USER_ID]` is `data.USER_ID`."""

    secret: Path | None = required(
        path("auth.application_token"), None, "what proves that it is the system", example="auth.application_token"
    )
    number: Path | None = required(
        path("data.PHONE_NUMBER"), None, "the number to be dialled", example="data.PHONE_NUMBER"
    )
    user: Path | None = required(path("user"), None, "who has clicked, by the id there", example="data.USER_ID")
    id: Path | None = setting(path("id"), None, "the id of the click: the same twice is one call")

    @property
    def paths(self) -> ClickPaths | None:
        """The parts, where none is missing."""
        if self.secret is None or self.number is None or self.user is None:
            return None
        return ClickPaths(self.secret, self.number, self.user, self.id)


@dataclass(frozen=True, slots=True)
class WritingKeys:
    """What a description says of writing."""

    log_at: LogAt = setting(
        choice("start", "end"),
        "end",
        "when the entry is made: at the `start`, when it rings at somebody, where every outcome of its direction is "
        "written, and `update_call` closes it; or once, when the call is over",
    )
    log_call: tuple[YamlValue, ...] = setting(
        _STEPS, (), "how a call is written down. One step must `capture` the entry's id as `crm_id`"
    )
    update_call: tuple[YamlValue, ...] = setting(_STEPS, (), "how an entry is brought up to what the call is now")
    move_call: tuple[YamlValue, ...] = setting(
        _STEPS,
        (),
        "how an entry goes to the record that a person has linked the call to since. `{was.id}` is the record before, "
        "`{was.NAME}` a value of its model",
        usual="the entry is corrected in words, and another one is made",
    )
    attach_recording: tuple[YamlValue, ...] = setting(_STEPS, (), "how a recording is added to an entry")
    find_call: tuple[YamlValue, ...] = setting(
        _SEARCHES,
        (),
        "how an entry is found again that was made while its answer got lost. Needed where creating it twice makes two",
    )
    find_user: tuple[YamlValue, ...] = setting(
        _SEARCHES, (), "how a person of ours is found among those of the CRM. The first one that finds one decides"
    )
    create: tuple[YamlValue, ...] = setting(
        list_of(_OBJECT).called("list of [creations](#create)"), (), "how a record of a model is created"
    )
    edit: tuple[YamlValue, ...] = setting(
        list_of(_OBJECT).called("list of [changes](#edit)"), (), "how fields of a record are changed"
    )
    pop: tuple[YamlValue, ...] = setting(
        _STEPS,
        (),
        "how the system shows a person who is calling, while it rings: for each person whose telephone rings, with "
        "`{user.id}` of the person there",
    )
    close_pop: tuple[YamlValue, ...] = setting(
        _STEPS,
        (),
        "how that is taken away again, when somebody else took the call, or it is over; `{pop.NAME}` is what `pop` "
        "captured",
        usual="the system takes it away itself",
    )
    click: ClickKeys | None = setting(
        nested(ClickKeys).called("[mapping](#click)"),
        None,
        "what the system sends us when somebody clicks on a number in it",
        usual="clicks in it are not taken",
    )
    entry_url: YamlValue | None = setting(
        raw("text with [values](#values)", TEXT), None, "the address of an entry's page, with `{call.crm_id}`"
    )


@dataclass(frozen=True, slots=True)
class MatchKeys(AttemptKeys):
    """A search for one thing."""

    id: Path | None = setting(path("id"), None, "where a found one has its id", usual="`id`")
    means: YamlValue | None = setting(
        raw("text with [values](#values)", TEXT),
        None,
        "the id, where what was found lies below it: a comment of a ticket",
    )
    same: YamlValue | None = setting(
        raw("mapping, [path](#paths) to text with [values](#values)", {"type": "object"}),
        None,
        "what a found one must hold, whatever the case: `{email: '{user.email}'}`; `*` is any signs. Systems find "
        "more than was asked for",
        usual="the system is believed",
    )
    when: Where = setting(
        CONDITION.called("[condition](#conditions) on the values"),
        (),
        "nothing is asked unless it holds: `when: {user.email: any}`",
        usual="always",
    )


def _dotted(written: str) -> tuple[str, ...]:
    return tuple(written.split(".")) if written != "$" else ()


@dataclass(frozen=True, slots=True)
class CreationKeys(StepKeys):
    """How a record is created."""

    models: tuple[str, ...] = setting(
        one_or_more(text()).called("a model, or a list"), (), "for which models it is", usual="all"
    )
    before: tuple[YamlValue, ...] = setting(_STEPS, (), "requests before it; it may name what they capture")
    others: tuple[str, ...] | None = setting(
        parsed(_dotted, "path in the body, or `$` for the body itself", "write others: $"),
        None,
        "where fields go that the request does not name, under their own names there",
        usual="they are refused",
    )


def read_writing(section: Section, keys: WritingKeys, known: Known, usual: Attempt) -> Writing:
    """Compile what a description writes; `known` are the values that any request of it may name."""
    record: Known = {**known, "record": _ANYTHING, "contact": _ANYTHING}
    call: Known = {**record, "call": CALL_VALUES, "user": _USER_VALUES, "step": _ANYTHING}
    asking: Known = {"limit": frozenset(), "cursor": frozenset(), "page": frozenset(), "offset": frozenset()}
    users: Known = {**known, **asking, "user": frozenset({"email", "extension"})}
    new: Known = {**known, "new": _ANYTHING, "step": _ANYTHING, "user": _USER_VALUES}
    steps = {name: read_steps(_sections(getattr(keys, name)), call) for name in _OF_CALLS}
    moves = read_steps(_sections(keys.move_call), {**call, "was": _ANYTHING})
    found = Writing(
        keys.log_at,
        None if keys.entry_url is None else read_marked(keys.entry_url, call, path=True),
        **steps,
        move_call=moves,
        click=None if keys.click is None else keys.click.paths,
        pop=read_steps(_sections(keys.pop), call),
        close_pop=read_steps(_sections(keys.close_pop), {**call, "pop": _ANYTHING}),
        find_call=_matches(keys.find_call, {**call, **asking}, usual),
        find_user=_matches(keys.find_user, users, usual),
        create=_creations(keys.create, new, usual),
        edit=_creations(keys.edit, {**new, "record": frozenset({"id"})}, usual, makes=False),
    )
    _check(section, keys, found)
    return found


_OF_CALLS = ("log_call", "update_call", "attach_recording")


def _check(section: Section, keys: WritingKeys, found: Writing) -> None:
    # A step that could not be compiled captures nothing, and has said so itself.
    if section.notes.problems:
        return
    if found.log_call and not any(makes_entry(step) for step in found.log_call):
        section.note("log_call", "no step captures the id of the entry", "add for example capture: {crm_id: id}")
    if not found.log_call and (found.update_call or found.attach_recording):
        name = "update_call" if found.update_call else "attach_recording"
        section.note(name, "there is no entry that could be changed", "add log_call")
    if found.log_at == "start" and not found.update_call:
        remedy = "add update_call, or write log_at: end"
        section.note("log_at", "an entry made at the start is closed by 'update_call', which is missing", remedy)


def _matches(values: tuple[YamlValue, ...], known: Known, usual: Attempt) -> tuple[Match, ...]:
    return tuple(_match(section, known, usual) for section in _sections(values))


def _match(section: Section, known: Known, usual: Attempt) -> Match:
    keys = read(section, MatchKeys, "a search")
    attempt = replace(read_attempt(section, keys, known, usual), when=keys.when)
    means = None if keys.means is None else read_marked(keys.means, known)
    return Match(attempt, keys.id or read_path("id"), _same(keys.same, known), means)


def _same(value: YamlValue | None, known: Known) -> tuple[tuple[Path, TextTemplate], ...]:
    section = None if value is None else value.section()
    found = []
    for name in section.names() if section is not None else ():
        assert section is not None
        try:
            where = read_path(name)
        except ValueError as error:
            section.note(name, str(error), "write for example email")
            continue
        found.append((where, compiled(section.key(name), section.text(name), known)))
    return tuple(found)


def _creations(values: tuple[YamlValue, ...], known: Known, usual: Attempt, makes: bool = True) -> tuple[Creation, ...]:
    found = []
    for section in _sections(values):
        keys = read(section, CreationKeys, "a creation" if makes else "a change")
        for name in keys.models:
            if name not in (usual.models or ()):
                section.note("models", f"there is no model '{name}'", suggest(name, usual.models or ()))
        step = read_step(section, keys, known)
        if makes and not any(name == "id" for name, _ in step.capture):
            section.note("capture", "the id of the new record is not captured", "add capture: {id: id}")
        before = read_steps(_sections(keys.before), known)
        found.append(Creation(step, frozenset(keys.models) or None, keys.others, before))
    return tuple(found)


def _sections(values: tuple[YamlValue, ...]) -> list[Section]:
    found = (value.section() for value in values)
    return [section for section in found if section is not None]
