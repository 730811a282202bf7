"""What a look at one route has before it: the route, what it may use, and where everything stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from routing_engine.config.examples import Example
from routing_engine.config.lint.spaces import KnownValues
from routing_engine.config.route.read import RouteFile
from routing_engine.core.model import Record, Route, Rule, Source
from routing_engine.errors import Problem
from routing_engine.settings.integration import IntegrationFacts, Model
from routing_engine.settings.yaml_lines import YamlLines


@dataclass(frozen=True, slots=True)
class RouteSubject:
    """One route's file and what it may use."""

    file: str
    found: RouteFile
    integrations: Mapping[str, IntegrationFacts]
    lines: YamlLines = field(default_factory=YamlLines)

    @property
    def route(self) -> Route:
        """The route itself."""
        return self.found.route

    def problem(self, line: int, sentence: str, remedy: str) -> Problem:
        """Return a remark on this file."""
        return Problem(self.file, line, sentence, remedy)

    def model_of(self, source: Source) -> Model | None:
        """Return the model that a source searches; None where it takes fields as they come, or is not known."""
        models = self.integrations.get(source.integration)
        model = models.get(source.model) if models else None
        return model if model is not None and model.fields else None

    def known(self, source: Source | None = None) -> KnownValues:
        """Return what is known of the values that rules ask about; `source` is where a record comes from."""
        route = self.route
        if source is None:
            return KnownValues(route.site, route.inputs)
        model = self.model_of(source)
        texts = {name for name, one in model.about.items() if one.type == "text"} if model is not None else set[str]()
        return KnownValues(route.site, route.inputs, texts=frozenset(texts), origins=self._origins(source))

    def _origins(self, source: Source) -> tuple[str, ...]:
        models = self.integrations.get(source.integration)
        model = models.get(source.model) if models else None
        # A source keeps nothing unless it says so, and what it does not keep is asked anew.
        mirrored = model is None or model.mirrored
        if mirrored or (source.keep is not None and source.keep.stale_for_s):
            return ("live", "cache", "snapshot")
        return ("live", "cache") if source.keep is not None else ("live",)

    def lists_of(self, source: Source) -> frozenset[str]:
        """Return the fields of a source's records that an example shows to be lists."""
        # What an example gives, the system gives too.
        answers = (record for example in self.found.examples for record in records_of(example, source.name))
        return frozenset(
            name for record in answers for name, value in record.fields.items() if isinstance(value, tuple)
        )

    def rules_by_source(self) -> Iterator[tuple[Source | None, tuple[Rule, ...]]]:
        """Yield the rules of the route itself, then those of each source."""
        yield None, self.route.rules
        yield from ((source, source.rules) for source in self.route.sources)


def records_of(example: Example, source: str) -> tuple[Record, ...]:
    """Return the records that an example gives a source; `down` and `none` are answers too, and have none."""
    answer = example.records.get(source, ())
    return answer if isinstance(answer, tuple) else ()
