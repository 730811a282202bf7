"""Every seeded fault is found where it is, with a remedy that works; nothing is said of what is allowed."""

from __future__ import annotations

import pytest

from routing_engine.config.load import configure
from routing_engine.errors import Problem

from . import seeded
from .allowed import ALLOWED
from .folders import PROVIDERS, snapshot
from .seeded import FAULTS, Fault

#: What is said of a route that is only a part of one.
_ABOUT_EXAMPLES = ("no examples", "no example proves", "no listener", "has no rules")


def found_in(files: dict[str, str]) -> list[Problem]:
    texts = {"engine.yaml": seeded.ENGINE, "integrations/crm.yaml": seeded.CRM, "routes/plain.yaml": PLAIN, **files}
    found = configure(snapshot({name: text for name, text in texts.items() if text}), PROVIDERS).remarks
    return [one for one in found if not any(part in one.sentence for part in _ABOUT_EXAMPLES)]


#: Something asks the integration, whatever the route under test does.
PLAIN = f"{seeded.DEFAULT}{seeded.SOURCE}      - {{to: {{queue: a}}}}\n"


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_seeded_fault_is_found_at_its_line_and_gone_with_its_remedy(fault: Fault) -> None:
    found = found_in(fault.files)
    hits = [one for one in found if (one.file, one.line) == fault.place and fault.says in one.sentence]
    assert hits, found
    assert fault.remedy in hits[0].remedy
    assert found_in(fault.mended) == []


def test_there_are_faults_enough() -> None:
    assert len(FAULTS) > 130


@pytest.mark.parametrize("whens", ALLOWED, ids=" / ".join)
def test_nothing_is_said_of_what_is_allowed(whens: list[str]) -> None:
    rows = "".join(seeded.row(place, when) for place, when in enumerate(whens))
    assert found_in({"routes/support.yaml": seeded.DEFAULT + seeded.SOURCE + rows}) == []
