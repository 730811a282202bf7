"""Every metric in one table: its name as it is scraped, its kind, labels and meaning.

docs/reference/metrics.md, the dashboard and the alert rules are checked against it. Labels have few values, all of
them words of ours or names out of the configuration: no number, no record, no text of a caller or a CRM. Rules are no
label: there may be hundreds, their names are sentences that people reword, and each would multiply the series of its
route; the journal answers how often a rule matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from routing_engine.calls.call import CallOutcome, Direction
from routing_engine.core.events import Cause, EarlyFate, LookupOutcome, LookupPurpose
from routing_engine.core.model import Origin, Reason
from routing_engine.errors import Who

Kind: TypeAlias = Literal["counter", "gauge", "histogram", "info"]
PREFIX = "routing_engine_"
#: What stands for a route that the configuration never had: anybody who reaches FastAGI may ask for any name.
UNKNOWN_ROUTE = "(unknown)"

#: Labels that have few values, all of them known.
WORDS: Mapping[str, tuple[str, ...]] = {
    "reason": get_args(Reason),
    "cause": get_args(Cause),
    "kind": ("sound", "text"),
    "outcome": get_args(LookupOutcome),
    "origin": get_args(Origin),
    "purpose": get_args(LookupPurpose),
    "fate": get_args(EarlyFate),
    "direction": get_args(Direction),
    "ended": get_args(CallOutcome),
    "said": ("yes", "no"),
    "accepted": ("yes", "no"),
    "who": get_args(Who),
    "side": ("trial", "in_force"),
}

_CALL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
#: What a caller bears: fine where it decides whether somebody hangs up.
_BORNE = (0.1, 0.25, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0)
_ASKED = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_AGE = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0, 604800.0)
_SPEECH = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One row. `buckets` are the upper bounds of a histogram, in seconds.

    `adds`: what several processes say of a state is added up; of others the most counts, such as 1 for a breaker.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    adds: bool = False


def _row(name: str, kind: Kind, labels: str, text: str, buckets: tuple[float, ...] = (), adds: bool = False) -> Metric:
    return Metric(PREFIX + name, kind, tuple(labels.split()), text, buckets, adds or kind == "counter")


METRICS: Mapping[str, Metric] = {
    one.name: one
    for one in (
        _row("calls_total", "counter", "route reason", "Calls that got their destination."),
        _row("calls_abandoned_total", "counter", "route cause", "Calls that were over before their decision."),
        _row("calls_in_progress", "gauge", "", "Calls that are being carried now.", adds=True),
        _row("connections_refused_total", "counter", "", "FastAGI connections that were refused at limits.sessions."),
        _row("call_duration_seconds", "histogram", "route", "From the first byte of a call to its decision.", _CALL),
        _row("caller_waited_seconds", "histogram", "route", "What a caller waited for the look-ups of a call.", _BORNE),
        _row("caller_silence_seconds", "histogram", "route", "The longest time a caller heard nothing.", _BORNE),
        _row("prompts_missing_total", "counter", "route kind", "Prompts that a caller should have heard and did not."),
        _row("lookups_total", "counter", "integration outcome origin purpose", "Look-ups that ended."),
        _row("lookup_failures_total", "counter", "integration who", "Look-ups that failed, by who must act."),
        _row("lookup_duration_seconds", "histogram", "integration", "How long a system took to answer.", _ASKED),
        _row("early_lookups_total", "counter", "integration fate", "Look-ups that were begun before their turn."),
        _row("cached_answer_age_seconds", "histogram", "origin", "The age of answers that were not live.", _AGE),
        _row("source_down", "gauge", "integration model", "1 while a source does not answer."),
        _row("breaker_open", "gauge", "integration", "1 while an integration is spared after failures in a row."),
        _row("cache_entries", "gauge", "", "Answers that are kept in the cache.", adds=True),
        _row("mirror_records", "gauge", "integration model", "Records that a mirror holds."),
        _row("mirror_age_seconds", "gauge", "integration model", "How old the records of a mirror are."),
        _row("mirror_full_timestamp_seconds", "gauge", "integration model", "When all records were last pulled."),
        _row("mirror_failing", "gauge", "integration model", "1 while the pulls of a mirror fail."),
        _row("journal_waiting", "gauge", "", "Calls that are not on the disk yet.", adds=True),
        _row("journal_lost_total", "counter", "", "Calls that will never be in the journal."),
        _row("journal_down", "gauge", "", "1 while the journal cannot be written."),
        _row("database_waiting", "gauge", "", "Changes of calls that are not in the database yet."),
        _row("database_lost_total", "counter", "", "Changes of calls that will never be in the database."),
        _row("database_down", "gauge", "", "1 while the database cannot be written."),
        _row("calls_open", "gauge", "pbx", "Calls that are followed and have not ended."),
        _row("deliveries_waiting", "gauge", "target", "What waits to be written to a CRM or a webhook."),
        _row("deliveries_dead", "gauge", "target", "What will not be written there unless somebody acts."),
        _row("delivery_target_down", "gauge", "target", "1 while a CRM or a webhook takes nothing, or is off."),
        _row("recordings_pending", "gauge", "target", "Recordings that a CRM has not got, or a PBX has not finished."),
        _row("pbx_up", "gauge", "pbx", "1 while a PBX is followed."),
        _row("pbx_lag_seconds", "gauge", "pbx", "How late the events of a PBX came, the worst since the last scrape."),
        _row("hub_up", "gauge", "", "1 while an edge is connected to its hub."),
        _row("hub_waiting", "gauge", "", "Changes of calls that the hub does not have yet."),
        _row("hub_lag_seconds", "gauge", "", "For how long the oldest of them has waited."),
        _row("hub_aside", "gauge", "", "Changes of calls that the hub cannot take."),
        _row("edge_up", "gauge", "edge", "1 while an edge is connected to this hub."),
        _row("edge_waiting", "gauge", "edge", "Changes of calls that an edge has not brought yet."),
        _row("edge_lag_seconds", "gauge", "edge", "For how long the oldest of them has waited."),
        _row("edge_aside", "gauge", "edge", "Changes of calls of an edge that this hub cannot take."),
        _row("edge_clock_ahead_seconds", "gauge", "edge", "What the clock of an edge is ahead of this hub's."),
        _row("followed_calls_total", "counter", "direction ended", "Calls of the PBXs that ended."),
        _row("texts_total", "counter", "said", "Texts that a synthesiser was asked for during calls."),
        _row("speech_duration_seconds", "histogram", "", "How long a call waited for a text to be spoken.", _SPEECH),
        _row("configuration_loads_total", "counter", "accepted", "Configurations that were read, the first one too."),
        _row("configuration_refused", "gauge", "", "1 while the folder holds a configuration that cannot be used."),
        _row("configuration_loaded_timestamp_seconds", "gauge", "", "When the configuration in force was taken."),
        _row("configuration_info", "info", "revision", "The configuration in force."),
        _row("activation_waiting", "gauge", "", "1 while the folder holds a revision that is not in force."),
        _row("activation_share_ratio", "gauge", "", "Which part of the callers has a revision on trial, from 0 to 1."),
        _row("activation_calls", "gauge", "side", "Calls that were counted in this step of a trial."),
        _row("activation_defaults", "gauge", "side", "Calls of this step that ended at the default."),
        _row("activation_rollbacks_total", "counter", "", "Revisions on trial that did worse and were taken back."),
        _row("build_info", "info", "version", "The version of the engine."),
        _row("workers", "gauge", "", "Processes that carry calls now, of those of serve --workers."),
        _row("worker_deaths_total", "counter", "", "Processes that carried calls and ended without being told."),
        _row("ready", "gauge", "", "1 while /ready answers 200."),
        _row("errors_total", "counter", "", "Faults of the engine itself, each with a call.error in the log."),
    )
}
