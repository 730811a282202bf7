"""What an answer means, by the rules of a description and, where none fits, by its status."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from routing_engine.core.model import Json
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderError
from routing_engine.providers.answers.not_json import read_declared_json
from routing_engine.providers.answers.outcome import error_of, outcome_of_status
from routing_engine.providers.answers.scopes import lacking, to_a_log_in
from routing_engine.providers.crm.model import Description
from routing_engine.providers.crm.requests import OutcomeRule, RequestTemplate, Where
from routing_engine.providers.net.headers import header_value, names_header
from routing_engine.retry_after import seconds_until

if TYPE_CHECKING:
    from routing_engine.providers.net.http_client import HttpAnswer

#: What an error's code may look like to be shown: no number of a caller, no sentence, no secret.
_CODE = re.compile(r"(?!\+?[0-9]{5})[A-Za-z0-9_.\-]{1,60}\Z")


def holds(where: Where, tree: Json, headers: Mapping[str, str] | None = None) -> bool:
    """Return whether every path of a condition leads to one of its texts; `header:NAME` is a header's."""
    for path, wanted in where:
        named = headers is not None and names_header(path.text)
        nodes = _values_of(headers or {}, path.text) if named else path.nodes(tree)
        # `any` is anything but nothing: `{error: any}` must not match `{"error": null}`.
        if wanted is not None and not wanted:
            if any(nodes):
                return False
            continue
        if not (any(nodes) if wanted is None else _one_fits(wanted, [_word(one) for one in nodes if one is not None])):
            return False
    return True


def _one_fits(wanted: frozenset[str], words: list[str]) -> bool:
    """Return whether one of the words is wanted; `cf_*` is every word that begins so."""
    if not wanted.isdisjoint(words):
        return True
    patterns = [_pattern(one) for one in wanted if "*" in one]
    return any(pattern.fullmatch(word) for pattern in patterns for word in words)


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


def _values_of(headers: Mapping[str, str], name: str) -> list[Json]:
    """Return the value of a header, whole and without its parameters: `text/html; charset=utf-8` is `text/html` too."""
    value = header_value(headers, name)
    return [value, value.partition(";")[0].strip()]


def _word(node: Json) -> str:
    """Return a scalar as text; a list or an object is something, but no text."""
    return as_text(node) if isinstance(node, (str, int, float, bool)) else "\0"


def read_body(answer: HttpAnswer) -> Json:
    """Return the JSON of an answer; None for an empty body, and for one that is not JSON."""
    try:
        # What is not JSON counts as nothing here: rules look at the status, and `client` says what it was.
        return read_declared_json(answer.body, content_type(answer)) if answer.body.strip() else None
    except ValueError:
        return None


def content_type(answer: HttpAnswer) -> str:
    """Return what the server says that its answer is; "" where it does not."""
    return answer.headers.get("Content-Type", "")


def outcome_of(description: Description, request: RequestTemplate, answer: HttpAnswer, tree: Json) -> OutcomeRule:
    """Return the first rule that fits: the request's own, then the description's, then those of HTTP."""
    for rule in (*request.rules, *description.rules):
        if (not rule.statuses or answer.status in rule.statuses) and holds(rule.where, tree, answer.headers):
            return rule
    return OutcomeRule(frozenset(), (), outcome_of_status(answer.status, answer.wait_s is not None))


def failure(
    name: str,
    description: Description,
    rule: OutcomeRule,
    answer: HttpAnswer,
    tree: Json,
    unix_time: Callable[[], float] = time.time,
) -> ProviderError:
    """Return the error that an answer is; its text holds the status and the system's own short code, nothing else."""
    wait_s = rule.wait_s if rule.then == "quota" else _wait_s(rule, answer, tree, unix_time())
    code = _code(description, tree) or to_a_log_in(answer.status, answer.headers)
    scopes = lacking(tree, answer.headers) if answer.status in (401, 403) else []
    return error_of(rule.then, f"{name}: {description.title}", answer.status, code, wait_s, scopes)


def _code(description: Description, tree: Json) -> str:
    code = None if description.code is None else description.code.first(tree)
    text = as_text(code) if isinstance(code, (str, int)) else ""
    return text if _CODE.match(text) else ""


def _wait_s(rule: OutcomeRule, answer: HttpAnswer, tree: Json, now: float) -> float | None:
    """Return how long to wait: as the rule says, else a header or a member that it names, else `Retry-After`."""
    header = seconds_until(answer.headers.get(rule.wait_header, ""), now) if rule.wait_header else None
    told = rule.wait_path.first(tree) if rule.wait_path is not None else None
    member = seconds_until(as_text(told), now) if isinstance(told, (str, int, float)) else None
    return next((one for one in (rule.wait_s, header, member, answer.wait_s) if one is not None), None)
