"""Spellings and strangers through the whole engine: a configuration, a real server or file, and a call."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.dry_run import DryCall, DryRun, dry_run
from routing_engine.engine import open_store

from .conftest import serving

pytestmark = pytest.mark.io

ROUTE = """
sources:
  - name: customers
    integration: crm
    search: {by: caller}
    when_many: {to: {queue: ambiguous}}
    rules: [{name: known, to: {queue: known}}]
default: {to: {queue: reception}}
"""
FIELDS = "models: {contact: {fields: {id: id, phone: tel, mobile: mob}, numbers: [phone, mobile]}}\n"
CUSTOMERS = [
    {"id": 1, "tel": "+49 664 1234567", "mob": ""},
    {"id": 2, "tel": "01/5550123 DW 12", "mob": "0664 / 123\u200945\u200967"},
    {"id": 3, "tel": "+1 212 555-0147", "mob": "+1 (212) 555-0147"},
]


class Crm:
    """A system that searches by "ends with", as many do."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request.query["customer_id"])
        asked = self.asked[-1]
        digits = [("".join(filter(str.isdecimal, one["tel"] + " " + one["mob"])), one) for one in CUSTOMERS]
        return web.json_response([one for written, one in digits if asked in written])


async def call(folder: Path, integration: str, caller: str) -> DryRun:
    for name, text in {"engine": "region: AT\n", "integrations/crm": integration, "routes/support": ROUTE}.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return await dry_run(open_store(folder).load(), DryCall("support", caller))


def said(run: DryRun) -> str:
    return next(step.outcome for step in run.decision.trail if step.step == "source customers")


async def test_a_customer_is_found_among_strangers_by_the_last_digits(tmp_path: Path) -> None:
    crm = Crm()
    async with serving(crm.handle) as address:
        text = f"provider: http\naddress: {address}\nnumber_form: [e164, national, last 7]\n{FIELDS}"
        run = await call(tmp_path, text, "+43 664 1234567")
    assert run.decision.record is not None
    assert (run.decision.record.id, run.decision.rule) == ("2", "known")
    assert crm.asked == ["+436641234567", "06641234567"]


async def test_a_stranger_alone_is_no_record_and_the_trail_says_so(tmp_path: Path) -> None:
    async with serving(Crm().handle) as address:
        text = f"provider: http\naddress: {address}\nnumber_form: last 7\n{FIELDS}"
        run = await call(tmp_path, text, "+43 676 5550147")
    assert run.decision.reason == "no_record"
    assert "no record (1 " in said(run)


@pytest.mark.parametrize(
    ("form", "found"), [("last 8", "2"), ("[national, last 6]", "2"), ("e164", "2"), ("as_received", "2")]
)
async def test_a_table_compares_lines_whatever_the_spelling(tmp_path: Path, form: str, found: str) -> None:
    rows = "".join(f'{one["id"]};"{one["tel"]}";"{one["mob"]}"\n' for one in CUSTOMERS)
    (tmp_path / "c.csv").write_text(f"id;tel;mob\n{rows}", encoding="utf-8")
    text = f"provider: records\nfile: c.csv\nphone_fields: [phone, mobile]\nnumber_form: {form}\n{FIELDS}"
    for caller in ("+43 664 1234567", "01 5550123"):
        run = await call(tmp_path, text, caller)
        assert run.decision.record is not None
        assert run.decision.record.id == found
    assert (await call(tmp_path, text, "+43 676 1234567")).decision.reason == "no_record"
