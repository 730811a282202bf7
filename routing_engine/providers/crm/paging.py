"""Where the next page of an answer begins, as one text: what a mirror can keep, and ask for again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from routing_engine.core.templates import as_text
from routing_engine.providers.crm.headers import header_value
from routing_engine.providers.crm.model import Paging


class ReadAnswer(NamedTuple):
    """An answer that was understood: its JSON, and its headers."""

    tree: object
    headers: Mapping[str, str]


def where_from(paging: Paging | None, cursor: str) -> Mapping[str, object]:
    """Return the values that a request names: `cursor`, `page` (from 1) and `offset` (from 0)."""
    if paging is None or paging.kind == "link":
        return {}
    if paging.kind == "cursor":
        return {"cursor": cursor or None}
    return {paging.kind: int(cursor or paging.start)}


def following(paging: Paging | None, heard: ReadAnswer, count: int, cursor: str, limit: int) -> str:
    """Return the cursor behind a page of `count` records, of `limit` at most; "" when it was the last."""
    if paging is None:
        return ""
    tree = heard.tree
    if paging.kind in ("cursor", "link"):
        found = header_value(heard.headers, paging.header) if paging.header else paging.path.first(tree)
        text = as_text(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""
        return "" if text == cursor or (paging.more is not None and not paging.more.first(tree)) else text
    whole = min(paging.size, limit) if paging.limited else paging.size
    more = bool(paging.more.first(tree)) if paging.more is not None else count >= whole
    if not more or not count:
        return ""
    return str(int(cursor or paging.start) + (1 if paging.kind == "page" else count))
