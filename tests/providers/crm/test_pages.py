"""Where the next page begins."""

from __future__ import annotations

import pytest

from routing_engine.providers.answers.path import read_path
from routing_engine.providers.crm.model import Paging
from routing_engine.providers.crm.records import ReadAnswer, following, where_from

MORE = read_path("more")


@pytest.mark.parametrize(
    ("paging", "count", "cursor", "next_one"),
    [
        (Paging("page", size=50, start=1), 50, "", "2"),
        (Paging("page", size=50, start=1), 49, "2", ""),
        (Paging("page", size=50, start=0), 50, "", "1"),
        (Paging("page", size=50, start=0), 50, "1", "2"),
        (Paging("page", size=100, start=1, limited=True), 20, "", "2"),
        (Paging("page", size=10, start=1, limited=True), 10, "", "2"),
        (Paging("page", size=100, start=1), 20, "", ""),
        (Paging("offset", size=50), 50, "", "50"),
        (Paging("offset", size=50, start=1), 50, "", "51"),
        (Paging("offset", size=50, more=MORE), 3, "100", "103"),
        (Paging("cursor", read_path("cursor")), 3, "", "c2"),
        (Paging("cursor", read_path("cursor")), 3, "c2", ""),
        (Paging("cursor", read_path("cursor"), MORE), 3, "", "c2"),
        (Paging("cursor", read_path("cursor"), read_path("no_more")), 3, "", ""),
        (Paging("cursor", MORE), 3, "", ""),
        (Paging("offset", size=50, more=MORE), 0, "100", ""),
        (Paging("offset", size=50, more=read_path("no_more")), 50, "", ""),
        (Paging("cursor", header="header:X-Next"), 3, "", "n2"),
        (None, 50, "", ""),
    ],
)
def test_a_next_page_is_asked_for_while_pages_are_whole(
    paging: Paging | None, count: int, cursor: str, next_one: str
) -> None:
    heard = ReadAnswer({"more": True, "cursor": "c2"}, {"X-Next": "n2"})
    assert following(paging, heard, count, cursor, 20) == next_one


def test_the_first_page_is_counted_from_where_it_begins() -> None:
    assert where_from(Paging("page", start=0), "") == {"page": 0}
    assert where_from(Paging("offset", start=1), "") == {"offset": 1}
