"""Where the next page of an answer begins, as one text: what a mirror can keep, and ask for again."""

from __future__ import annotations

from collections.abc import Mapping

from routing_engine.core.templates import as_text
from routing_engine.providers.described.description import Paging


def where_from(paging: Paging | None, cursor: str) -> Mapping[str, object]:
    """Give the values that a request names: `cursor`, `page` (from 1) and `offset` (from 0)."""
    if paging is None or paging.kind == "link":
        return {}
    if paging.kind == "cursor":
        return {"cursor": cursor or None}
    return {paging.kind: int(cursor or (1 if paging.kind == "page" else 0))}


def following(paging: Paging | None, tree: object, count: int, cursor: str) -> str:
    """Give the cursor behind a page of `count` records; "" when it was the last."""
    if paging is None:
        return ""
    if paging.kind in ("cursor", "link"):
        found = paging.path.first(tree)
        text = as_text(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""
        return "" if text == cursor or (paging.more is not None and not paging.more.first(tree)) else text
    more = bool(paging.more.first(tree)) if paging.more is not None else count >= paging.size
    if not more or not count:
        return ""
    return str(int(cursor or 1) + 1) if paging.kind == "page" else str(int(cursor or 0) + count)
