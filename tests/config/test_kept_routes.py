"""A reading that keeps what did not change comes to what one from nothing comes to, whatever was edited before."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from routing_engine.config.folder import KnownFiles, read_folder
from routing_engine.config.kept_routes import KeptRoutes
from routing_engine.config.load import Configuration, configure
from routing_engine.core.model import Decision
from routing_engine.errors import ConfigError
from routing_engine.rehearsal import run_examples

from .folders import CRM, PROVIDERS, ROUTE, snapshot, write

NARROW = "provider: fake\nmodels: {contact: {fields: {name: name}}}\n"
SEARCHES = """
input: {{digits: {{min: 4, max: 4}}}}
sources:
  - integration: crm
    model: contact
    search: {{field: number, by: input}}
    rules: [{{name: gold, when: {{{field}: gold}}, to: {{queue: vip}}}}]
default: {{to: {{queue: sales}}}}
examples: [{{name: one, input: ['1234'], records: {{crm.contact: {{{field}: gold}}}}, expect: {{rule: {rule}}}}}]
"""
LEADS = "default: {to: {route: rb}}\nexamples: [{name: on, expect: {to: {queue: sales}}}]\n"
EXPIRED = "rules: [{name: old, until: 2020-01-01, when: {call.called: '1'}, to: {queue: x}}]\n" + ROUTE
#: What each file may hold; "" is no file.
EDITS: Mapping[str, Sequence[str]] = {
    "integrations/crm.yaml": (CRM, NARROW, "provider: nobody\n"),
    "engine.yaml": ("", "region: AT\n", "defaults: {deadline_s: 9}\n", "region: nowhere\n"),
    "routes/ra.yaml": (LEADS, ROUTE, ""),
    "routes/rb.yaml": (ROUTE, "default: {to: {queue: other}}\n", "", "default: {to: {quue: x}}\n"),
    "routes/rc.yaml": [
        SEARCHES.format(field=field, rule=rule) for field in ("tier", "name") for rule in ("gold", "no")
    ],
    "routes/rd.yaml": (EXPIRED, "default: {to: {route: ra}}\n", SEARCHES.format(field="tier", rule="gold")),
}


def came_to(texts: Mapping[str, str], kept: KeptRoutes | None) -> object:
    """Return what a reading comes to: its problems, or routes, examples and remarks."""
    try:
        found = configure(
            snapshot({name: text for name, text in texts.items() if text}, revision=str(hash(tuple(texts.items())))),
            PROVIDERS,
            {"TOKEN": "x"}.get,
            run_examples=run_examples,
            kept=kept,
        )
    except ConfigError as error:
        return sorted(map(str, error.problems))
    return found.routes, found.examples, found.remarks, found.failing


@pytest.mark.parametrize("seed", range(12))
def test_after_any_edits_nothing_is_kept_that_does_not_hold(seed: int) -> None:
    chance, kept = random.Random(seed), KeptRoutes()
    texts = {name: of[0] for name, of in EDITS.items()}
    for _ in range(25):
        name = chance.choice([*EDITS, *EDITS, "routes/rb.yaml", "routes/rc.yaml"])
        texts[name] = chance.choice(EDITS[name])
        assert came_to(texts, kept) == came_to(texts, None), (seed, texts)


def played(texts: Mapping[str, str], kept: KeptRoutes) -> list[str]:
    """Return the routes whose examples a reading plays."""
    names: list[str] = []

    def run(found: Configuration) -> Mapping[str, Sequence[Decision]]:
        names.extend(name for name, every in found.examples.items() if every)
        return run_examples(found)

    configure(snapshot(texts), PROVIDERS, {"TOKEN": "x"}.get, run_examples=run, kept=kept)
    return sorted(names)


def test_only_the_examples_of_what_changed_are_played_and_those_that_go_on_elsewhere() -> None:
    kept = KeptRoutes()
    texts = {
        "integrations/crm.yaml": CRM,
        "routes/ra.yaml": LEADS,
        "routes/rb.yaml": ROUTE,
        "routes/rc.yaml": SEARCHES.format(field="tier", rule="gold"),
        "routes/re.yaml": SEARCHES.format(field="name", rule="gold"),
    }
    assert played(texts, kept) == ["ra", "rc", "re"]
    assert played(texts | {"routes/rc.yaml": SEARCHES.format(field="name", rule="gold")}, kept) == ["ra", "rc"]
    assert played(texts | {"routes/rf.yaml": ROUTE}, kept) == ["ra", "rc"]


def test_an_integration_that_could_not_be_read_checks_routes_when_it_can_be() -> None:
    """With the same texts: what was wrong may lie outside of the folder, as with a package that is missing."""
    kept, found = KeptRoutes(), list[str]()
    wrong = SEARCHES.format(field="tier", rule="gold").partition("examples")[0].replace("contact", "contct")
    for providers in ({}, PROVIDERS):
        with pytest.raises(ConfigError) as caught:
            configure(
                snapshot({"integrations/crm.yaml": CRM, "routes/rc.yaml": wrong}),
                providers,
                {"TOKEN": "x"}.get,
                kept=kept,
            )
        found.append(str(caught.value))
    assert ["contct" in one for one in found] == [False, True]


def test_a_file_is_opened_again_until_it_has_been_left_alone(tmp_path: Path) -> None:
    folder, known = write(tmp_path, {"routes/ra.yaml": "first"}), KnownFiles()
    for text in ("first", "other", "third"):  # of one size, and perhaps within one tick of the disk's clock
        (folder / "routes" / "ra.yaml").write_text(text)
        assert read_folder(folder, known).texts == {"routes/ra.yaml": text}


def test_a_file_that_was_left_alone_is_opened_again_only_when_it_changed(tmp_path: Path) -> None:
    folder, known = write(tmp_path, {"routes/ra.yaml": "first", "routes/rb.yaml": "one"}), KnownFiles(settled_s=-3600)
    before = read_folder(folder, known)
    (folder / "routes" / "rb.yaml").write_text("another")
    os.chmod(folder / "routes" / "ra.yaml", 0o644)  # changes its ctime
    (folder / "routes" / "rc.yaml").write_text("new")
    after = read_folder(folder, known)
    assert after.texts == {"routes/ra.yaml": "first", "routes/rb.yaml": "another", "routes/rc.yaml": "new"}
    assert after == read_folder(folder)
    assert before.revision != after.revision
    (folder / "routes" / "ra.yaml").unlink()
    assert read_folder(folder, known) == read_folder(folder)
