"""The reference, the dashboard and the alert rules name what is there, and nothing else."""

from __future__ import annotations

import json
import re
from itertools import product

import pytest
from docs.pages import REFERENCE, names, table

from routing_engine.metrics.listener import LONGEST_S, MOST_CONNECTIONS
from routing_engine.metrics.table import METRICS, PREFIX, WORDS

from .promql import DASHBOARD, ROOT, Query, of_dashboard, of_rules, rule_groups

PAGE = REFERENCE / "metrics.md"


def test_the_reference_names_every_metric_with_its_kind_and_labels():
    rows = table(PAGE, "Every metric")
    documented = {row.names[0]: (row.cells[1], tuple(re.findall(r"`(\w+)`", row.cells[2]))) for row in rows}
    assert documented == {name: (one.kind, one.labels) for name, one in METRICS.items()}


def test_the_reference_names_every_value_of_a_label():
    rows = table(PAGE, "Values of labels")
    assert {row.names[0]: tuple(re.findall(r"`(\w+)`", row.cells[1])) for row in rows} == dict(WORDS)


def test_labels_are_words_that_the_reference_lists_or_names_of_the_configuration():
    labels = {label for one in METRICS.values() for label in one.labels}
    assert labels - names(PAGE, "Values of labels") == {
        "route",
        "integration",
        "model",
        "revision",
        "version",
        "pbx",
        "edge",
        "target",
    }


def test_the_reference_names_the_buckets():
    rows = table(PAGE, "Buckets")
    documented = {row.names[0]: tuple(float(one) for one in row.cells[1].split(", ")) for row in rows}
    assert documented == {name: one.buckets for name, one in METRICS.items() if one.buckets}


def test_the_reference_tells_the_limits_of_the_listener():
    assert f"{MOST_CONNECTIONS} connections at a time, {LONGEST_S:g} seconds each" in PAGE.read_text()


@pytest.mark.parametrize("name", METRICS)
def test_names_follow_the_conventions_of_prometheus(name):
    metric = METRICS[name]
    assert re.fullmatch(rf"{PREFIX}[a-z_]+", name)
    assert (metric.kind == "counter") == name.endswith("_total")
    assert (metric.kind == "info") == name.endswith("_info")
    assert metric.kind != "histogram" or name.endswith("_seconds")
    assert metric.help.endswith(".")


# The dashboard and the rules


@pytest.mark.parametrize("query", [*of_dashboard(), *of_rules()], ids=lambda query: query.place)
def test_a_query_names_series_that_there_are(query):
    assert query.selectors
    assert query.faults() == []


WRONG = {
    'rate(routing_engine_call_total{reason="matched"}[5m])': "there is no series routing_engine_call_total",
    'routing_engine_calls_total{rule="gold"}': "routing_engine_calls_total has no label rule",
    'routing_engine_calls_total{reason="match"}': "reason is never match",
    "routing_engine_call_duration_seconds": "there is no series routing_engine_call_duration_seconds",
    "sum by (model) (routing_engine_calls_total)": "no metric has the label model",
    'routing_engine_caller_silence_seconds_bucket{le="0.9"}': "routing_engine_caller_silence_seconds has no bucket 0.9",
}


@pytest.mark.parametrize(("text", "fault"), WRONG.items())
def test_a_wrong_query_would_be_seen(text, fault):
    assert Query("wrong", text).faults() == [fault.replace("seconds has no bucket", "seconds_bucket has no bucket")]


def test_every_metric_is_on_the_dashboard():
    shown = " ".join(one.text for one in of_dashboard()) + DASHBOARD.read_text()
    unseen = {name for name in METRICS if name not in shown}
    assert unseen == {PREFIX + "configuration_loads_total"}  # its news is configuration_refused


def test_the_dashboard_has_the_shape_that_grafana_imports():
    read = json.loads(DASHBOARD.read_text())
    assert (read["id"], read["uid"], read["schemaVersion"] >= 36) == (None, "routing-engine", True)
    assert len({panel["id"] for panel in read["panels"]}) == len(read["panels"])
    for panel in read["panels"]:
        place = panel["gridPos"]
        assert set(place) == {"h", "w", "x", "y"}
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert [one["refId"] for one in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])
            assert panel["fieldConfig"]["defaults"]["unit"]


def test_no_panel_lies_over_another():
    taken: dict[tuple[int, int], str] = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        for cell in product(columns, lines):
            assert cell not in taken, (panel["title"], taken.get(cell))
            taken[cell] = panel["title"]


def test_the_dashboard_has_its_rows_and_variables():
    read = json.loads(DASHBOARD.read_text())
    rows = [panel["title"] for panel in read["panels"] if panel["type"] == "row"]
    assert rows[:5] == ["Now", "Calls", "Reasons", "Silence", "Look-ups"]
    assert rows[5:8] == ["Integrations that are down", "Cache and speech", "Journal and process"]
    assert rows[8:] == ["Calls that are followed", "Edges and hub", "Several processes", "Changes on trial"]
    variables = {one["name"]: one for one in read["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    used = set(re.findall(r"\$\{?([a-z]\w*)", " ".join(one.text for one in of_dashboard())))
    assert used <= set(variables)
    for one in variables.values():
        if one["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+).*, (\w+)\)", one["query"]["query"]).groups()
            assert label in {*METRICS[metric].labels, "job", "instance"}


def test_every_rule_says_how_bad_it_is_and_what_to_do():
    rules = [rule for group in rule_groups() for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 10
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


RULES = [rule for group in rule_groups() for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_labels_in_the_text_of_a_rule_are_those_that_its_query_leaves(rule):
    named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert named <= Query(rule["alert"], rule["expr"]).kept


def test_the_dashboard_is_where_the_how_to_says():
    assert (ROOT / "docs" / "how-to" / "../grafana/routing-engine.json").resolve() == DASHBOARD
