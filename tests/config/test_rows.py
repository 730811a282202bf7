"""A row says all about its thing: made-up operators, kinds and types work everywhere, and only their rows are new."""

from __future__ import annotations

import io
import json
import re
from collections.abc import MutableMapping
from datetime import datetime
from typing import TypeVar, cast

import pytest
from core.build import ANNA, Told, converse

from docs import test_rows_of_tables as reference
from routing_engine.config.lint.remarks import lint
from routing_engine.config.route.read import RouteFile
from routing_engine.core.destinations import (
    KINDS,
    PROFILES,
    WRITTEN,
    DestinationKind,
    Reach,
    dialplan_places,
    variables,
)
from routing_engine.core.events import CallRouted
from routing_engine.core.field_types import FIELD_TYPES, FieldType, apply_types
from routing_engine.core.model import Destination, Record, Value
from routing_engine.core.operators import OPERATORS, ComparisonKind, Operator
from routing_engine.log import log_call
from routing_engine.logger import set_up_log
from routing_engine.settings.integration import FieldInfo

from .folders import CRM, configuration, problems_of

Row = TypeVar("Row")
ROUTE = """
default: {to: {queue: reception}}
sources:
  - {name: a, integration: crm, model: contact, search: {by: caller}, rules: [{name: r, when: WHEN, to: TO}]}
"""


def text(when: str = "{tier: gold}", to: str = "{queue: vip}") -> str:
    return ROUTE.replace("WHEN", when).replace("TO", to)


def problem(**parts: str) -> str:
    return problems_of({"routes/support.yaml": text(**parts), "integrations/crm.yaml": CRM})[0].split(": ", 1)[1]


def decide(record: Value, states: dict[str, Value] | None = None, **parts: str) -> Told:
    route = configuration(text(**parts)).routes["support"]
    return converse(route, found={"a": Record({"tier": record})}, states=states)


def add(patch: pytest.MonkeyPatch, name: str, row: Row, *tables: object) -> None:
    for table in tables:
        patch.setitem(cast(MutableMapping[str, Row], table), name, row)


# ------------------------------------------------------------------------------------------------ an operator


def _longer(actual: Value, expected: object, now: datetime) -> bool:
    return isinstance(actual, str) and len(actual) > cast(int, expected)


def _near(holds: object, actual: Value, expected: object, now: datetime) -> str:
    return "" if isinstance(actual, str) else " (only a text has a length)"


@pytest.fixture
def longer(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Operator(_longer, "number", ComparisonKind(_near), "has at most {} characters", "made up", also=("len",))
    add(monkeypatch, "longer_than", row, OPERATORS)


@pytest.mark.usefixtures("longer")
class TestOperator:
    def test_it_is_read_and_holds(self) -> None:
        assert decide("silver", when="{tier: {longer_than: 4}}").decision.rule == "r"

    @pytest.mark.parametrize(
        ("when", "sentence"),
        [
            ("{tier: {longer_than: long}}", "'longer_than' needs a number from 0 to 100000, not 'long'"),
            ("{tier: {longer_than: 4, loosely: true}}", "'longer_than' does not compare text, 'loosely' means nothing"),
            ("{tier: {len: 4}}", "operator 'len' is not known; did you mean 'longer_than'?"),
        ],
    )
    def test_a_wrong_use_is_named(self, when: str, sentence: str) -> None:
        assert problem(when=when).startswith(sentence)

    def test_the_trail_says_why_it_does_not_hold(self) -> None:
        said = [decide(tier, when="{tier: {longer_than: 4}}").outcomes[1] for tier in ("gold", 7)]
        assert said[0] == "tier is 'gold': it has at most 4 characters"
        assert said[1] == "tier is 7: it has at most 4 characters (only a text has a length)"

    def test_the_reference_must_have_it(self) -> None:
        with pytest.raises(AssertionError):
            reference.test_operators()


# ------------------------------------------------------------------------------------- a kind of destination


@pytest.fixture
def fax(monkeypatch: pytest.MonkeyPatch) -> None:
    row = DestinationKind(
        re.compile(r"[0-9]{3,15}\Z", re.ASCII),
        "3 to 15 digits",
        "made up",
        "fax to",
        bare="{call.input}",
        freepbx="ext-fax,{target},1",
        rings=True,
        has_priority=True,
        is_number=True,
        reach=Reach("device", "fax-{target}", lambda state: "" if state != "busy" else "it sends"),
    )
    add(monkeypatch, "fax", row, KINDS, WRITTEN)
    for profile, places in PROFILES.items():  # made of the rows when the module is read
        add(monkeypatch, "fax", dialplan_places(profile)["fax"], places)


@pytest.mark.usefixtures("fax")
class TestDestinationKind:
    def test_it_is_read_with_all_that_it_may_have(self) -> None:
        told = decide("gold", to="{fax: '0664123456', priority: 3, ring_s: 20}")
        assert told.decision.destination == Destination("fax", "0664123456", 3, 20)

    @pytest.mark.parametrize(
        ("to", "sentence"),
        [
            ("{fax: anna}", "fax cannot be 'anna'; it must be 3 to 15 digits"),
            ("{ivr: main, priority: 3}", "a destination 'ivr' has no priority; remove it: only queue, fax has one"),
            ("{ivr: main, ring_s: 9}", "a destination 'ivr' does not ring; remove it: extension, queue, ring_group, "),
            ("{fux: 123}", "'fux' is not a destination; did you mean 'fax'?"),
        ],
    )
    def test_a_wrong_use_is_named(self, to: str, sentence: str) -> None:
        assert problem(to=to).startswith(sentence)

    def test_in_a_chain_it_is_passed_over_while_it_cannot_be_reached(self) -> None:
        told = decide("gold", {"device.fax-123": "busy"}, to="[{fax: '123'}, {queue: vip}]")
        assert "not reachable: it sends" in told.outcomes
        assert told.decision.destination == Destination("queue", "vip")

    @pytest.mark.parametrize(("plain", "shown"), [(False, "fax to ...456"), (True, "fax to 0664123456")])
    @pytest.mark.io
    def test_its_number_is_masked_in_the_log(self, plain: bool, shown: str) -> None:
        stream = io.StringIO()
        set_up_log("info", "json", stream)
        log_call(CallRouted(ANNA, "support", decide("gold", to="{fax: '0664123456'}").decision), plain)
        assert json.loads(stream.getvalue())["destination"] == shown

    @pytest.mark.io
    def test_an_example_may_leave_out_a_target_that_comes_from_the_call(self) -> None:
        example = "examples: [{records: {a: {tier: gold}}, expect: {to: fax}}]"
        configuration(text(to="{fax: '0664123456'}") + example)

    @pytest.mark.parametrize(("profile", "context"), [("plain", "routing-engine-fax"), ("freepbx", "ext-fax")])
    def test_the_dialplan_finds_it_in_every_profile(self, profile: str, context: str) -> None:
        decision = decide("gold", to="{fax: '123'}").decision
        assert dict(variables(decision, "1", PROFILES[profile]))["ROUTE_CONTEXT"] == context

    def test_the_reference_must_have_it(self) -> None:
        with pytest.raises(AssertionError):
            reference.test_kinds_of_destination()


def test_what_is_looked_up_is_no_sure_default(monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, "first_agent", WRITTEN["last_agent"], WRITTEN)
    found = configuration(text().replace("{queue: reception}", "{first_agent: 2 days}"))
    remarks = lint("support.yaml", RouteFile(found.routes["support"]), {})
    assert "the default's target comes from values" in "".join(one.sentence for one in remarks)


# ------------------------------------------------------------------------------------------------ a field type


def test_a_type_that_does_not_exist_is_named_beside_those_that_do() -> None:
    crm = CRM.replace("contact: {}", "contact: {fields: {tier: {field: t, type: shoot}}}")
    said = problems_of({"routes/support.yaml": text(), "integrations/crm.yaml": crm})
    assert said[0].endswith(f"known here: {', '.join(sorted(FIELD_TYPES))}")


@pytest.fixture
def shout(monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, "shout", FieldType(lambda value: str(value).upper(), "made up"), FIELD_TYPES)


@pytest.mark.usefixtures("shout")
class TestFieldType:
    def test_it_is_applied_to_every_entry_of_a_list(self) -> None:
        found = apply_types(Record({"tier": ("a", "b")}), {"tier": FieldInfo(type="shout")})
        assert found.fields["tier"] == ("A", "B")

    def test_the_reference_must_have_it(self) -> None:
        with pytest.raises(AssertionError):
            reference.test_types_of_fields()
