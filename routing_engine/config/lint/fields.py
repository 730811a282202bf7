"""Fields that the model of a source does not have: in its search, its choice, its rules and its examples."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from routing_engine.config.lint.subject import RouteSubject, records_of
from routing_engine.config.route.walk import comparisons_in, of_condition, operands_of_rule
from routing_engine.core.model import Menu, Prefer, Rule, Source
from routing_engine.errors import Problem
from routing_engine.settings.integration import Model
from routing_engine.settings.yaml_reader import suggest


def unmapped(subject: RouteSubject) -> Iterator[Problem]:
    """Yield a remark for every field that a source is asked for and that its model does not have."""
    for place, source in enumerate(subject.route.sources):
        model = subject.model_of(source)
        if model is not None:
            yield from _in_rules(subject, source, model)
            yield from _in_choice(subject, place, source, model)
            yield from _in_examples(subject, source, model)


def _in_rules(subject: RouteSubject, source: Source, model: Model) -> Iterator[Problem]:
    for rule in source.rules:
        for name in sorted(_fields(rule) - {*model.fields, "id"}):
            tests = (test for test in comparisons_in(rule.when) if test.left.name == name)
            line = next((test.line for test in tests if test.left.scope == "record"), 0) or rule.line
            sentence = f"the rule '{rule.name}' looks at '{name}', which the model '{model.name}' does not map"
            yield subject.problem(line, sentence, suggest(name, model.fields))


def _fields(rule: Rule) -> set[str]:
    return {left.name for left in operands_of_rule(rule) if left.scope == "record"}


def _in_choice(subject: RouteSubject, place: int, source: Source, model: Model) -> Iterator[Problem]:
    """Look at what chooses a record: the search's field, `newest by`, `prefer`, and what a menu says of each."""
    # Every record has an id, whatever is mapped.
    known, many = {*model.fields, "id"}, source.when_many
    asked = [("search", source.field), ("when_many", source.newest_by)]
    if isinstance(many, Prefer):
        asked += [("when_many", left.name) for left in of_condition(many.when) if left.scope == "record"]
    if isinstance(many, Menu):
        left_sides = (left for prompt in many.label if not isinstance(prompt, str) for left in prompt.text.operands)
        asked += [("when_many", left.name) for left in left_sides if left.scope == "record"]
    for key, name in dict.fromkeys(asked):
        if name and name not in known and not _is_searched_otherwise(key, name, model):
            line = subject.lines.line("sources", place, key, "field" if key == "search" else "")
            sentence = f"'{key}' of '{source.name}' names '{name}', which the model '{model.name}' does not map"
            yield subject.problem(line, sentence, suggest(name, model.fields))


def _is_searched_otherwise(key: str, name: str, model: Model) -> bool:
    """Return whether a field may be searched that is not fetched: what the other side searches, it alone knows.

    A name that is nearly one of ours is a slip all the same.
    """
    near = difflib.get_close_matches(name, model.fields, n=1, cutoff=0.8)
    return key == "search" and (name in model.search_names or name in model.fields.values() or not near)


def _in_examples(subject: RouteSubject, source: Source, model: Model) -> Iterator[Problem]:
    """Look at what examples give a source that its system never would: it is passed over when they run."""
    for place, example in enumerate(subject.found.examples):
        given = {name for record in records_of(example, source.name) for name in record.fields}
        for name in sorted(given - {*model.fields, "id"}):
            sentence = f"the example '{example.name}' gives '{name}', which the model '{model.name}' does not map"
            line = subject.lines.line("examples", place, "records", source.name, name) or example.line
            yield subject.problem(line, sentence, suggest(name, model.fields))
