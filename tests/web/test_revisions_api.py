"""What was in force, over HTTP: for administrators alone; the way back, and the audit that is whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from routing_engine.config.authors import Author
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.folder import read_folder
from routing_engine.config.revisions import Revisions
from routing_engine.settings.paths import audit_folder
from routing_engine.storage.deed_log import DeedLog
from routing_engine.web.revisions_api import RevisionsApi

from .people import people_web

pytestmark = pytest.mark.io

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)


def keep(folder: Path, queue: str, hour: int) -> str:
    """Let a folder hold another route, and keep that as a revision; return its number."""
    (folder / "routes").mkdir(parents=True, exist_ok=True)
    (folder / "routes" / "support.yaml").write_text(f"default: {{to: {{queue: {queue}}}}}\n")
    texts, kept = read_folder(folder), Revisions(folder)
    before = next(iter(one.number for one in kept.every()), "")
    kept.keep(texts, NOW.replace(hour=hour), Author("Anna", "why"), before=before)
    DeedLog(audit_folder(folder), lambda: NOW).add("Anna", "in force", "", texts.revision)
    return texts.revision


async def test_an_administrator_sees_what_was_in_force_and_goes_back(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    first, newest = keep(folder, "sales", 2), keep(folder, "night", 3)
    async with people_web(tmp_path, (), more=[RevisionsApi(folder, EngineSettings, lambda: NOW)]) as web:
        adam = await web.logged_in("adam")
        _, told = await adam.ask("GET", "/v1/revisions")
        assert [(one["revision"], one["who"], one["what"]) for one in told["revisions"]] == [
            (newest, "Anna", "route support changed"),
            (first, "Anna", "route support added"),
        ]
        assert "+default: {to: {queue: night}}" in (await adam.ask("GET", f"/v1/revisions/{newest}"))[1]["diff"]
        _, done = await adam.ask("POST", f"/v1/revisions/{first[:6]}/rollback")
        assert (done["revision"], done["before"]) == (first, newest)
        assert (await adam.ask("GET", "/v1/audit/verify"))[1]["faults"] == []
        waits = await adam.ask("POST", "/v1/activation", json={"action": "all"})
        wrong = await adam.ask("POST", "/v1/activation", json={"action": "try", "callers": ["tester"]})
    assert (waits[0], waits[1]["error"]["code"], wrong[0]) == (409, "nothing_to_do", 400)
    assert read_folder(folder).revision == first
    assert DeedLog(audit_folder(folder)).deeds()[-1].who == "adam"
