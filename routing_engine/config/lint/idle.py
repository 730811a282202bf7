"""What stands in a route and makes no difference, and times that cannot be kept."""

from __future__ import annotations

from collections.abc import Iterator

from routing_engine.config.lint.subject import RouteSubject
from routing_engine.config.route.walk import branches_of
from routing_engine.core.destinations import WRITTEN
from routing_engine.core.model import Action, DestinationSpec, Menu, Source
from routing_engine.errors import Problem
from routing_engine.settings.yaml_reader import plain_number

Path = tuple[str | int, ...]


def idle(subject: RouteSubject) -> Iterator[Problem]:
    """Yield a remark for everything in a route that makes no difference."""
    yield from _needless_else(subject)
    yield from _needless_prompts(subject)
    yield from _same_sources(subject)
    yield from _late(subject)


def _actions(subject: RouteSubject) -> Iterator[tuple[Path, Action]]:
    """Yield everything that a route may end with, and where it is written."""
    route = subject.route
    yield ("default",), route.default
    if route.anonymous is not None:
        yield ("anonymous",), route.anonymous
    for place, one in enumerate(route.inputs):
        if one.on_failure is not None:
            yield (*_of_input(subject, place), "on_failure"), one.on_failure
    yield from (((*("rules", place),), rule.act) for place, rule in enumerate(route.rules))
    for place, source in enumerate(route.sources):
        yield from _actions_of(("sources", place), source)


def _actions_of(path: Path, source: Source) -> Iterator[tuple[Path, Action]]:
    yield from (((*path, "rules", place), rule.act) for place, rule in enumerate(source.rules))
    if isinstance(source.when_down, Action):
        yield (*path, "when_down"), source.when_down
    if isinstance(source.when_many, Action):
        yield (*path, "when_many"), source.when_many
    if isinstance(source.when_many, Menu) and source.when_many.otherwise is not None:
        yield (*path, "when_many", "else"), source.when_many.otherwise


def _of_input(subject: RouteSubject, place: int) -> Path:
    return ("inputs", place) if subject.lines.has("inputs") else ("input",)


def _needless_else(subject: RouteSubject) -> Iterator[Problem]:
    for path, action in _actions(subject):
        for depth, to in enumerate(branches_of(action.to)):
            if to.otherwise is not None and not to.chained and _is_certain(to):
                line = subject.lines.line(*path, "to", *("else",) * (depth + 1))
                sentence = f"'else' is never taken: {to.kind} '{to.target}' stands there, and is never refused"
                yield subject.problem(line, sentence, "remove 'else', or let the target come from a value")


def _is_certain(to: DestinationSpec) -> bool:
    return not to.target.operands and not WRITTEN[to.kind].is_looked_up


def _needless_prompts(subject: RouteSubject) -> Iterator[Problem]:
    for place, one in enumerate(subject.route.inputs):
        if one.attempts == 1 and one.retry_prompt:
            line = subject.lines.line(*_of_input(subject, place), "retry_prompt")
            sentence = "'retry_prompt' is never played: there is one attempt"
            yield subject.problem(line, sentence, "remove it, or write attempts: 2")


def _same_sources(subject: RouteSubject) -> Iterator[Problem]:
    first: dict[tuple[str, str, str, str], tuple[int, Source]] = {}
    for place, source in enumerate(subject.route.sources):
        # The same question twice has the same answer; what differs is only when it is asked.
        asks = source.integration, source.model, source.field, str(source.by)
        if asks in first:
            earlier, same = first[asks]
            line, above = subject.lines.line("sources", place), subject.lines.line("sources", earlier)
            sentence = f"the source '{source.name}' asks the same as '{same.name}' (line {above})"
            sentence += ": whoever has a record was found there, so its rules never run"
            yield subject.problem(line, sentence, f"put its rules into '{same.name}', or search by another value")
        first.setdefault(asks, (place, source))


def _late(subject: RouteSubject) -> Iterator[Problem]:
    route, lines = subject.route, subject.lines
    deadline = plain_number(route.deadline_s)
    for place, source in enumerate(route.sources):
        if (
            source.timeout_s is not None
            and source.timeout_s > route.deadline_s
            and lines.has("sources", place, "timeout_s")
        ):
            sentence = f"'timeout_s' ({plain_number(source.timeout_s)}) is beyond 'deadline_s' ({deadline})"
            line = lines.line("sources", place, "timeout_s")
            yield subject.problem(
                line, f"{sentence}: no look-up lasts so long", f"write timeout_s: {deadline}, or less"
            )
    # A filler that is inherited is told where it is written, in engine.yaml.
    filler = route.filler
    looks_up = bool(route.sources) and filler.kind != "none" and lines.has("filler", "after_s")
    if looks_up and filler.after_s >= route.deadline_s:
        sentence = f"the filler begins after {plain_number(filler.after_s)} s, when all look-ups have ended"
        line = lines.line("filler", "after_s")
        yield subject.problem(line, f"{sentence} ('deadline_s': {deadline}): nobody hears it", "write after_s: 0.7")
