"""Records from a file or an example instead of a system: what `run-test --records` and `examples` ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from routing_engine.core.asks import SourceDown
from routing_engine.core.model import Record, Value
from routing_engine.core.ports import Query
from routing_engine.core.redact import clean_text
from routing_engine.errors import ProviderUnreachable
from routing_engine.providers.answers.records import record_of
from routing_engine.providers.answers.values import read_value
from routing_engine.settings.integration import Model


class CannedProvider:
    """Keeps the port `Provider`: answers every question with the same records, or with an outage.

    The records have our field names, and become what a system with such a model would give: its fields and no others,
    clean texts, an id and a page: the model's own, unless `page_of` knows it.
    """

    def __init__(
        self,
        answer: Sequence[Record] | SourceDown,
        model: Model,
        page_of: Callable[[Mapping[str, Value]], str] | None = None,
    ) -> None:
        self._answer, self._model, self._page_of = answer, model, page_of

    async def find(self, query: Query) -> Sequence[Record]:
        """Return the records. Raises `ProviderUnreachable` for an outage."""
        if isinstance(self._answer, SourceDown):
            raise ProviderUnreachable(self._answer.why)
        return [self._complete(record, query) for record in self._answer]

    async def close(self) -> None:
        """Nothing is open."""

    def _complete(self, record: Record, query: Query) -> Record:
        mapped, given = self._model.fields, {**self._number_of(record, query), **record.fields}
        # A live call never sees a field that the model does not map: a rule that needs one must not pass its example.
        fields = (
            {name: _clean(given.get(name)) for name in mapped}
            if mapped
            else {clean_text(name): _clean(value) for name, value in given.items()}
        )
        found = record_of(fields, self._model.record_url)
        return found if self._page_of is None else replace(found, url=self._page_of(fields))

    def _number_of(self, record: Record, query: Query) -> Mapping[str, Value]:
        """Return the caller's number, for a record that must show one and says nothing of its numbers.

        Without it nobody's record would be left of a CRM that compares parts of numbers.
        """
        checked = self._model.checked_fields(query.field)
        silent = not any(name in record.fields for name in checked)
        needed = self._model.must_show and query.by_caller and query.caller is not None
        return {checked[0]: query.caller.e164} if needed and silent and checked and query.caller else {}


def _clean(value: Value) -> Value:
    return read_value(list(value) if isinstance(value, tuple) else value)
