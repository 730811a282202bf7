"""Queries, read by a real parser of PromQL: which metrics they name, with which labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml

from routing_engine.metrics.table import METRICS, PREFIX, WORDS

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "docs" / "grafana" / "routing-engine.json"
MONITORING = ROOT / "docs" / "how-to" / "monitoring.md"
#: What Prometheus itself adds to every series.
TARGET = {"job", "instance"}
#: Metrics of others: Prometheus' own and those of a process.
FOREIGN = {"up", "process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"}


@dataclass(frozen=True)
class Query:
    """One query: where it stands, its text, and whatever the parser finds in it."""

    place: str
    text: str

    @property
    def parts(self) -> list[Any]:
        """Every node of the tree."""
        found: list[Any] = []
        promql.walk(promql.parse(self.text.replace("$__rate_interval", "5m")), found.append)
        return found

    @property
    def selectors(self) -> list[Any]:
        return [one for one in self.parts if isinstance(one, promql.VectorSelector)]

    @property
    def kept(self) -> set[str]:
        """The labels that the outermost aggregation keeps; without one, those of the series."""
        for one in self.parts:
            if isinstance(one, promql.AggregateExpr):
                return set(one.modifier.labels) if one.modifier is not None else set()
        return {label for one in self.selectors for label in labels_of(one.name)}

    def faults(self) -> list[str]:
        """What is wrong with it; nothing when every metric, label and value is one of the table."""
        found = [fault for one in self.selectors for fault in _faults_of(one)]
        known = {label for one in self.selectors for label in labels_of(one.name)}
        for one in self.parts:
            if isinstance(one, promql.AggregateExpr) and one.modifier is not None:
                found += [f"no metric has the label {label}" for label in one.modifier.labels if label not in known]
        return found


def metric_of(name: str) -> str:
    """The metric that a series belongs to."""
    for ending in ("_bucket", "_sum", "_count"):
        whole = METRICS.get(name.removesuffix(ending))
        if name.endswith(ending) and whole is not None and whole.kind == "histogram":
            return whole.name
    return name


def labels_of(name: str) -> set[str]:
    """The labels that a series has."""
    metric = METRICS.get(metric_of(name))
    return TARGET | (set(metric.labels) if metric else set()) | ({"le"} if name.endswith("_bucket") else set())


def _faults_of(selector: Any) -> Iterator[str]:
    name = selector.name
    if name in FOREIGN:
        return
    metric = METRICS.get(metric_of(name))
    if metric is None or (metric.kind == "histogram") == (metric.name == name):
        yield f"there is no series {name}"
        return
    for one in selector.matchers.matchers:
        if one.name not in labels_of(name):
            yield f"{name} has no label {one.name}"
        elif one.name == "le" and float(one.value) not in metric.buckets:
            yield f"{name} has no bucket {one.value}"
        elif one.name in WORDS and not set(one.value.split("|")) <= set(WORDS[one.name]):
            yield f"{one.name} is never {one.value}"


def of_dashboard() -> list[Query]:
    """Every query of the dashboard."""
    read = json.loads(DASHBOARD.read_text())
    found = [Query(panel["title"], target["expr"]) for panel in read["panels"] for target in panel.get("targets", ())]
    return found + [Query(one["name"], one["expr"]) for one in read["annotations"]["list"]]


def rule_groups() -> list[dict[str, Any]]:
    """The groups of alert rules in the how-to."""
    (block,) = (
        one for one in MONITORING.read_text().split("```yaml\n") if one.startswith("# routing-engine.rules.yml")
    )
    return list(yaml.safe_load(block.partition("```")[0])["groups"])


def of_rules() -> list[Query]:
    """Every query of the alert rules."""
    return [Query(rule["alert"], rule["expr"]) for group in rule_groups() for rule in group["rules"]]


__all__ = ["DASHBOARD", "PREFIX", "Query", "of_dashboard", "of_rules", "rule_groups"]
