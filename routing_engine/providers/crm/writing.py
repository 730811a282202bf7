"""What a description says of writing, compiled: entries of calls, the people of the CRM, new records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from routing_engine.calls.ports import TakesRecording
from routing_engine.core.model import Json
from routing_engine.providers.crm.model import RequestStep, Writing
from routing_engine.providers.crm.outcome import holds
from routing_engine.providers.crm.requests import EncodedJson, Node, Repeated, RequestTemplate
from routing_engine.providers.crm.templates import TextSlot, TextTemplate

#: What `{call.NAME}` may be of a recording: its bytes in a part of the body, or as Base64 text in JSON.
FILE, BASE64 = "recording", "recording_base64"
_OF_A_RECORD = frozenset({"record", "contact", "model"})


def writes_calls(writing: Writing) -> Literal["", "matched", "any"]:
    """Return which calls can be written: none, those whose contact is known, or all."""
    if not writing.log_call:
        return ""
    return "any" if any(_needs_no_record(step) for step in writing.log_call if makes_entry(step)) else "matched"


def takes_recording(writing: Writing) -> TakesRecording:
    """Return what of a recording the steps send."""
    named = {slot.path[-1] for step in writing.attach_recording for slot in slots_of(step.request)}
    return "file" if named & {FILE, BASE64} else "link" if "recording_url" in named else ""


def links_recordings(writing: Writing) -> bool:
    """Return whether an entry can be told where its recording is heard: in a place of its own, or in its text."""
    return bool(writing.update_call) or takes_recording(writing) == "link"


def makes_entry(step: RequestStep) -> bool:
    """Return whether a step of `log_call` makes the entry: it captures its id."""
    return any(name == "crm_id" for name, _ in step.capture)


def _needs_no_record(step: RequestStep) -> bool:
    # What a call is like changes from one to the next; whether a record is needed does not.
    about_call = tuple(one for one in step.when if one[0].names[:1] == ("call",))
    nobody: dict[str, Json] = {"record": {}, "contact": {}, "model": {}}
    others = tuple(one for one in step.when if one not in about_call)
    return holds(others, nobody) and not any(slot.path[0] in _OF_A_RECORD for slot in step.request.address.slots)


def slots_of(request: RequestTemplate) -> Iterator[TextSlot]:
    """Yield every value that a request names."""
    yield from request.address.slots
    for members in (request.query, request.form, request.headers, request.multipart):
        yield from _slots(members)
    for node in (request.json, request.body):
        if node is not None:
            yield from _slots(node)


def _slots(node: Node) -> Iterator[TextSlot]:
    if isinstance(node, TextTemplate):
        yield from node.slots
    elif isinstance(node, EncodedJson):
        yield from _slots(node.inside)
    elif isinstance(node, Repeated):
        yield from (slot for one in node.items for slot in _slots(one))
    elif isinstance(node, list):
        yield from (slot for one in node for slot in _slots(one))
    elif isinstance(node, tuple):
        yield from (slot for key, one in node for part in (key, one) for slot in _slots(part))
