"""The section `log:` of an integration, held against what its provider can write."""

from __future__ import annotations

from routing_engine.calls.ports import WritesCalls
from routing_engine.settings.call_log import NO_CALLS, CallLogKeys
from routing_engine.settings.integration import ShowsCalls
from routing_engine.settings.pages import PagesKeys
from routing_engine.settings.yaml_reader import Section


def call_log_of(section: Section, provider: str, keys: CallLogKeys, settings: object) -> CallLogKeys | None:
    """Return how calls are written; None where none are. Notes what the provider cannot do."""
    writes, links = "", False
    if isinstance(settings, WritesCalls):
        writes, links = settings.writes_calls, settings.links_recordings
    # By its outcomes: a section may switch everything off and keep its texts.
    wanted = (keys.inbound, keys.outbound, keys.internal) != (NO_CALLS.inbound, NO_CALLS.outbound, NO_CALLS.internal)
    if not writes:
        if section.has("log") and wanted:
            sentence = f"calls cannot be written through '{provider}'"
            section.note("log", sentence, "remove 'log', or add log_call to a description of your own")
        return None
    if keys.unmatched == "log" and writes == "matched":
        sentence = f"'{provider}' writes calls to a record, and an unmatched call has none"
        (section.section("log") or section).note("unmatched", sentence, "write unmatched: skip")
    if keys.recording == "link" and not links:
        sentence = f"'{provider}' cannot say in an entry where a recording is heard"
        (section.section("log") or section).note("recording", sentence, "add update_call to its description")
    return keys if wanted else None


def check_links(section: Section, log: CallLogKeys | None, pages: PagesKeys) -> None:
    """Remark entries that are to lead to the page of their call, while nobody has said where that is."""
    if log is None or pages.address or not section.has("log") or (written := section.section("log")) is None:
        return
    for key, wanted in (("link", log.link), ("recording", log.recording == "link")):
        if wanted and written.has(key):
            sentence = "entries lead nowhere: engine.yaml does not say where people find the pages"
            remedy = "add to engine.yaml pages: {address: 'https://calls.example.com'}"
            section.notes.remark(written.line_of(key), f"'{key}': {sentence}", remedy)


def check_pop(section: Section, provider: str, wanted: bool, settings: object) -> None:
    """Note a system that is to show calls, and cannot."""
    if wanted and not (isinstance(settings, ShowsCalls) and settings.shows_calls):
        remedy = "remove 'pop': the page of calls shows who is calling"
        section.note("pop", f"'{provider}' has no way to show people who is calling", remedy)
