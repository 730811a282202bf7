"""What a description says, compiled: how a kind of system is reached, asked, and understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import re2

from routing_engine.calls.ports import LogAt
from routing_engine.core.model import Json
from routing_engine.providers.answers.path import WHOLE, Path
from routing_engine.providers.crm.requests import OutcomeRule, RequestTemplate, Where
from routing_engine.providers.crm.templates import TextTemplate
from routing_engine.providers.oauth.plan import OAuthPlan
from routing_engine.settings.integration import FieldInfo, RateLimits


@dataclass(frozen=True, slots=True)
class OperatorSetting:
    """A value that the operator writes at the top of the integration; without a `default` it must be there."""

    example: str
    pattern: str = ""
    default: str | None = None

    def fits(self, value: str) -> bool:
        """Return whether it can have this value."""
        return not self.pattern or read_pattern(self.pattern).fullmatch(value) is not None


def read_pattern(text: str) -> re2.Pattern:
    """Compile what a value must look like, in time linear to its length: descriptions are files that people share.

    Raises `ValueError` with a sentence.
    """
    options = re2.Options()
    options.log_errors, options.max_mem = False, 1_000_000
    try:
        return re2.compile(text, options)
    except re2.error:
        raise ValueError("this is not a regular expression of RE2 (no look-ahead, no back-reference)") from None


@dataclass(frozen=True, slots=True)
class Paging:
    """Where the next page begins, in the answer or in a `header` of it; `size` records are a whole page.

    Pages and records are counted from `start`. With `limited` the request says how many it wants, which is whole too.
    """

    kind: Literal["cursor", "link", "page", "offset"]
    path: Path = WHOLE
    more: Path | None = None
    size: int = 0
    header: str = ""
    start: int = 0
    limited: bool = False


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What is asked for each record that was found, if `when` holds, where a search tells little of it.

    `record` is where the answer has what is added: to the record itself, or as its member `under`.
    """

    request: RequestTemplate
    record: Path
    when: Where = ()
    under: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to ask for records. `models` is None for all of them; `exact` compares the searched field behind it.

    Nothing is asked unless `when` holds. With `keyed` records are members of an object, and their keys this field.
    """

    request: RequestTemplate
    records: Path = WHOLE
    models: frozenset[str] | None = None
    spelling: TextTemplate | None = None
    paging: Paging | None = None
    exact: bool = True
    each: tuple[FollowUp, ...] = ()
    when: Where = ()
    keyed: str = ""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """How all records are listed. `gone` tells those that were deleted; `changes` that `{since}` bounds it."""

    attempt: Attempt
    changes: bool = False
    gone: Where = ()


@dataclass(frozen=True, slots=True)
class DescribeRequest:
    """How the fields of a model are asked for. Without `name` they are members, and their keys are the names.

    A `partial` answer lacks fields that every account has. `prefix` stands before each name in a record.
    """

    request: RequestTemplate
    fields: Path
    name: Path | None
    label: Path | None
    type: Path | None
    partial: bool = False
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class RequestStep:
    """One request of several. It is left out unless `when` holds; `capture` are values for the steps behind it.

    A captured `header:NAME` is a header of the answer, `cookie:NAME` a cookie. `fine` are further good statuses.
    """

    request: RequestTemplate
    when: Where = ()
    capture: tuple[tuple[str, Path | str], ...] = ()
    fine: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Match:
    """A search for one thing: its `id`, where each path of `same` holds the text beside it, whatever the case.

    With `means` what was found only proves that this id is the one.
    """

    attempt: Attempt
    id: Path
    same: tuple[tuple[Path, TextTemplate], ...] = ()
    means: TextTemplate | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """How a record of some models (None: of all) is created, or changed.

    `others` is where further fields go, None: nowhere.

    `before` are the steps before it.
    """

    step: RequestStep
    models: frozenset[str] | None = None
    others: tuple[str, ...] | None = None
    before: tuple[RequestStep, ...] = ()


@dataclass(frozen=True, slots=True)
class ClickPaths:
    """Where what a system tells of a click has its parts. `secret` is what only the system knows."""

    secret: Path
    number: Path
    user: Path
    id: Path | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """The steps and searches of a description that write. `entry_url` is the page of a call's entry."""

    log_at: LogAt = "end"
    entry_url: TextTemplate | None = None
    log_call: tuple[RequestStep, ...] = ()
    update_call: tuple[RequestStep, ...] = ()
    move_call: tuple[RequestStep, ...] = ()
    attach_recording: tuple[RequestStep, ...] = ()
    find_call: tuple[Match, ...] = ()
    find_user: tuple[Match, ...] = ()
    create: tuple[Creation, ...] = ()
    edit: tuple[Creation, ...] = ()
    pop: tuple[RequestStep, ...] = ()
    close_pop: tuple[RequestStep, ...] = ()
    click: ClickPaths | None = None

    def creation_for(self, model: str) -> Creation | None:
        """Return how a record of a model is created."""
        return next((one for one in self.create if one.models is None or model in one.models), None)

    def edit_for(self, model: str) -> Creation | None:
        """Return how a record of a model is changed."""
        return next((one for one in self.edit if one.models is None or model in one.models), None)


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """One way to prove who we are. `needs` are the operator's values, True for secrets.

    `carry` is a request without an address whose headers and parameters go with every other. `login` are requests
    that capture further values, good for `lifetime_s` (None: until they are refused).
    """

    name: str
    needs: Mapping[str, bool]
    plan: OAuthPlan | None
    login: tuple[RequestStep, ...]
    lifetime_s: float | None
    carry: RequestTemplate


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model as the description knows it: `constants` for its requests, and the default field map, ours to theirs.

    `search_names` are by our names of fields what a search calls them; `none` cannot be searched.
    """

    name: str
    label: str
    constants: Mapping[str, str]
    fields: Mapping[str, str]
    numbers: tuple[str, ...]
    record_url: TextTemplate | None
    search_names: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, FieldInfo] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Description:
    """A kind of system. `within` is where a record's fields lie in it; `nothing` are values that mean no value.

    `encoded` says how texts are written, "html" or "" for as they are.

    `hosts` are the only ones that a captured address may lead to. `digest` differs with the text.
    """

    name: str
    title: str
    settings: Mapping[str, OperatorSetting]
    address: TextTemplate
    ways: Mapping[str, AuthMethod]
    models: Mapping[str, KnownModel]
    constants: frozenset[str]
    within: Path
    nothing: tuple[Json, ...]
    encoded: str
    limits: RateLimits
    hosts: tuple[str, ...]
    rules: tuple[OutcomeRule, ...]
    code: Path | None
    find_by_phone: tuple[Attempt, ...] = ()
    find_by_field: tuple[Attempt, ...] = ()
    find_by_name: tuple[Attempt, ...] = ()
    listings: tuple[ListRequest, ...] = ()
    describe: DescribeRequest | None = None
    check: RequestTemplate | None = None
    writing: Writing = Writing()
    digest: str = ""

    def attempts_for(self, model: str) -> tuple[Attempt, ...]:
        """Return the ways to ask for a caller in a model."""
        return tuple(one for one in self.find_by_phone if one.models is None or model in one.models)

    def searches_for(self, model: str) -> tuple[Attempt, ...]:
        """Return the ways to search a field of a model; the first whose condition holds is used."""
        return tuple(one for one in self.find_by_field if one.models is None or model in one.models)

    def names_for(self, model: str) -> tuple[Attempt, ...]:
        """Return the ways to find records of a model by a part of their name; all are asked."""
        return tuple(one for one in self.find_by_name if one.models is None or model in one.models)

    def listing_for(self, model: str, changes: bool = False) -> ListRequest | None:
        """Return how a model's records are listed: all, or the changes. One way may do both, or each has its own."""
        # Better all records than none: a mirror can live on full pulls.
        fits = [one for one in self.listings if one.attempt.models is None or model in one.attempt.models]
        return next((one for one in fits if one.changes is changes), fits[0] if fits else None)
