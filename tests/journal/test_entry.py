"""What waits for the disk: small, whatever a call had in its hands."""

from __future__ import annotations

import pickle
from dataclasses import replace

from routing_engine.core.model import Record
from routing_engine.journal.entry import journal_entry, row_of
from routing_engine.journal.privacy import Privacy

from .calls import routed


def test_a_call_that_waits_holds_no_values_of_the_system() -> None:
    event = routed()
    fat = replace(event.decision, sets=(("NOTE", "x" * 60_000),), record=Record({"note": "x" * 60_000}))
    entry = journal_entry(replace(event, decision=fat))
    assert len(pickle.dumps(entry)) < 4_000
    assert row_of(entry, Privacy("masked"))["sets"] == '["NOTE"]'
