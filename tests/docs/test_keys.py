"""The reference names every key that the readers take, and none that they refuse, where a page is written by hand.

The readers themselves are asked: a section gets every key that the reference names, and one that nobody knows. The
remedy for that one lists what the reader takes; the problems with the others tell ranges, defaults and choices.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from routing_engine.engine import open_store
from routing_engine.errors import ConfigError, Problem
from routing_engine.providers.registry import PROVIDERS

from .pages import REFERENCE, ROOT, Row, name_of, names, table

UNKNOWN = "0" * 12  # near to nothing, so that the remedy lists all
INTEGRATION = "integrations/probe.yaml"
DESCRIPTION = "providers/probe.yaml"
HTTP, RECORDS = "provider: http\n", "provider: records\n"

#: Where each section of the reference lies: page, heading, file, and the YAML around `KEYS` (a flow mapping).
PLACES = [
    ("integrations", "http", INTEGRATION, "KEYS"),
    ("integrations", "records", INTEGRATION, "KEYS"),
    ("ldap", "ldap", INTEGRATION, "KEYS"),
    ("ldap", "bind", INTEGRATION, "provider: ldap\nbind: KEYS"),
    ("ldap", "per_model", INTEGRATION, "provider: ldap\nmodels: {contact: {}}\nper_model: {contact: KEYS}"),
    ("redis", "redis", INTEGRATION, "KEYS"),
    ("redis", "keys of a model", INTEGRATION, "provider: redis\nmodels: {contact: {}}\nkeys: {contact: KEYS}"),
    ("astdb", "astdb", INTEGRATION, "KEYS"),
    ("astdb", "keys of a model", INTEGRATION, "provider: astdb\nmodels: {contact: {}}\nkeys: {contact: KEYS}"),
    ("sql", "sql", INTEGRATION, "KEYS"),
    ("sql", "keys of a model", INTEGRATION, "provider: sql\nmodels: {contact: KEYS}"),
    ("integrations", "parameters", INTEGRATION, HTTP + "parameters: KEYS"),
    ("integrations", "auth", INTEGRATION, HTTP + "auth: KEYS"),
    ("integrations", "auth: basic", INTEGRATION, HTTP + "auth: {basic: KEYS}"),
    ("integrations", "auth: api_key", INTEGRATION, HTTP + "auth: {api_key: KEYS}"),
    ("integrations", "auth: hmac", INTEGRATION, HTTP + "auth: {hmac: KEYS}"),
    ("integrations", "auth: oauth2", INTEGRATION, HTTP + "auth: {oauth2: KEYS}"),
    ("oauth", "What an operator writes", INTEGRATION, "provider: hubspot\nauth: {oauth2: KEYS}"),
    ("oauth", "What a description says", "providers/probe.yaml", "auth: {oauth2: KEYS}"),
    ("integrations", "auth: mtls", INTEGRATION, HTTP + "auth: {mtls: KEYS}"),
    ("integrations", "tls", INTEGRATION, HTTP + "tls: KEYS"),
    ("descriptions", "The file", DESCRIPTION, "KEYS"),
    ("descriptions", "A setting", DESCRIPTION, "settings: {probe: KEYS}"),
    ("descriptions", "A way", DESCRIPTION, "auth: {probe: KEYS}"),
    ("descriptions", "An attempt", DESCRIPTION, "find_by_phone: [KEYS]"),
    ("descriptions", "errors", DESCRIPTION, "errors: [KEYS]"),
]
IDS = [f"{page}: {heading}" for page, heading, _, _ in PLACES]


def ask(tmp_path: Path, file: str, around: str, values: Mapping[str, str]) -> list[Problem]:
    """What the readers say to a section with these keys."""
    keys = "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(around.replace("KEYS", keys))
    with pytest.raises(ConfigError) as caught:
        open_store(tmp_path).load()
    return [problem for problem in caught.value.problems if problem.file == file]


def probe(tmp_path: Path, page: str, heading: str, file: str, around: str) -> tuple[set[str], list[Problem]]:
    """The keys that the readers take in a section, and every problem they have with the documented ones."""
    documented = names(REFERENCE / f"{page}.md", heading)
    values = dict.fromkeys(sorted(documented), "probe") | {UNKNOWN: "probe"}
    if heading in PROVIDERS:
        values |= dict.fromkeys(names(REFERENCE / "integrations.md", "Every integration"), "probe")
        values |= {"provider": heading}
    problems = ask(tmp_path, file, around, values)
    (unknown,) = [one for one in problems if f"has no key '{UNKNOWN}'" in one.sentence]
    return set(unknown.remedy.removeprefix("known here: ").split(", ")), problems


@pytest.mark.parametrize(("page", "heading", "file", "around"), PLACES, ids=IDS)
def test_the_reference_names_the_keys_that_the_readers_take(tmp_path, page, heading, file, around):
    known, _ = probe(tmp_path, page, heading, file, around)
    documented = names(REFERENCE / f"{page}.md", heading)
    if heading in PROVIDERS:
        documented |= names(REFERENCE / "integrations.md", "Every integration")
    assert known == documented


@pytest.mark.parametrize(("page", "heading", "file", "around"), PLACES, ids=IDS)
def test_ranges_and_choices_are_those_of_the_readers(tmp_path, page, heading, file, around):
    rows = {row.names[0]: row for row in table(REFERENCE / f"{page}.md", heading)}
    _, problems = probe(tmp_path, page, heading, file, around)
    for problem in problems:
        key = problem.sentence.split("'")[1] if "'" in problem.sentence else ""
        if key in rows:
            check_range(rows[key], problem)
            check_choice(rows[key], problem)


def check_range(row: Row, problem: Problem) -> None:
    found = re.search(r"must be a number from (\S+) to (\S+), not", problem.sentence)
    if not found:
        return
    written = re.search(r"number, ([\d.]+) to ([\d.]+)", row.text)
    assert written, f"{row.names[0]}: the reference gives no range"
    assert [*map(float, written.groups())] == pytest.approx([*map(float, found.groups())], rel=1e-4)
    default = problem.remedy.removeprefix("the default is ")
    number = re.match(r"[\d.]+", row.cells[2])
    if number:  # a default that is no number depends on another key
        assert float(number[0]) == pytest.approx(float(default), rel=1e-4)


def check_choice(row: Row, problem: Problem) -> None:
    if "cannot be 'probe'" not in problem.sentence or not problem.remedy.startswith("known here: "):
        return
    for word in problem.remedy.removeprefix("known here: ").split(", "):
        assert f"`{word}`" in row.text, f"{row.names[0]}: the reference does not name {word}"


#: Where the keys of YAML are taken, by room; the pages that name them stand in the test below.
READERS = {
    "providers/oauth": ["settings.py"],
    "providers/crm": [
        *("read_description.py", "read_parts.py", "read_rules.py", "read_requests.py"),
        *("settings.py", "auth_methods.py"),
    ],
    "providers": [
        *("http/settings.py", "http/auth.py", "net/address.py", "records/provider.py"),
        *("ldap/settings.py", "keyed/redis.py", "keyed/astdb.py", "keyed/provider.py", "sql/settings.py"),
    ],
}
TAKING = {"take", "require", "text", "texts", "choice", "number", "whole", "flag", "section", "sections", "items"}
TAKING |= {"secret", "plain", "has"}


def keys_in_code() -> dict[str, str]:
    """Every key that stands as a text in the readers' code, with its place: also those taken only when present."""
    found = {}
    for folder, modules in READERS.items():
        for module in modules:
            path = ROOT / "routing_engine" / folder / module
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TAKING:
                    first = node.args[0] if node.args else None
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        found[first.value] = f"{name_of(path)}:{node.lineno}"
    return found


def test_no_key_of_the_code_is_missing_in_the_reference():
    pages = ("routes", "conditions", "destinations", "engine", "lists", "calendars", "integrations", "mirror", "oauth")
    pages += ("ldap", "redis", "astdb", "sql", "descriptions")
    text = "".join((REFERENCE / f"{page}.md").read_text() for page in pages)
    missing = {key: place for key, place in keys_in_code().items() if not re.search(rf"`{key}\b", text)}
    assert missing == {}
    assert len(keys_in_code()) > 60


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_every_shipped_provider_has_a_section_that_the_probe_reads(provider):
    (row, *_) = table(REFERENCE / "integrations.md", "Every integration")
    assert f"`{provider}`" in row.text
    assert provider in [heading for _, heading, _, _ in PLACES]
