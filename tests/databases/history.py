"""What the history of a PBX must do on every real database. A subclass gives the fixture `site`."""

from __future__ import annotations

from pathlib import Path

from routing_engine.config.pbxs import read_pbx
from routing_engine.pbx.call_records import PbxHistory
from routing_engine.pbx.history import history_of
from routing_engine.settings.yaml_reader import Problems
from tests.providers.sql import PASSWORD

from .sites import Site

BEGAN = 1796063251  # 2026-11-30 19:27:31 in Vienna
MAIN = "ami: {address: 127.0.0.1:5038, user: engine, secret: '${PASSWORD}'}\ntrunks: [PJSIP/trunk*]\n"
#: As FreePBX's module cdr makes it.
FREEPBX = (
    "calldate {moment}, clid VARCHAR(80), src VARCHAR(80), dst VARCHAR(80), dcontext VARCHAR(80), channel VARCHAR(80),"
    " dstchannel VARCHAR(80), lastapp VARCHAR(80), lastdata VARCHAR(80), duration INT, billsec INT,"
    " disposition VARCHAR(45), amaflags INT, accountcode VARCHAR(20), uniqueid VARCHAR(32), userfield VARCHAR(255),"
    " did VARCHAR(50), recordingfile VARCHAR(255), cnum VARCHAR(80), cnam VARCHAR(80), linkedid VARCHAR(32),"
    " peeraccount VARCHAR(80), sequence INT"
)
ROW = (
    "{moment}, 'x', '+436641112223', '201', 'from-trunk', 'PJSIP/trunk-00000001', 'PJSIP/201-00000002', 'Dial', '', 10,"
    " 8, 'ANSWERED', 3, '', '{began}.1', '', '', '', '', '', '{began}.1', '', 1"
)


def opened(site: Site, folder: Path, table: str) -> PbxHistory:
    """The history of a PBX whose file names this table."""
    place = f"{site.scheme}://reader@{site.server.address}/{site.database}"
    sql = f"{{database: '{place}', password: '${{PASSWORD}}', table: {table}, timezone: Europe/Vienna}}"
    notes = Problems("pbxs/main.yaml", {"PASSWORD": PASSWORD}.get, folder)
    pbx = read_pbx("main", f"{MAIN}history: {{sql: {sql}}}\n", notes)
    assert pbx is not None, notes.problems
    history = history_of(pbx.keys.history, folder)
    assert history is not None
    return history


class RealHistory:
    """A table of call records, read by a user who may do nothing else."""

    async def test_the_rows_of_a_freepbx_are_read(self, site: Site, tmp_path: Path) -> None:
        kind = "TIMESTAMP" if site.is_postgresql else "DATETIME"
        rows = [
            (ROW.format(moment=f"'2026-11-30 {hour}:27:31'", began=BEGAN + (hour - 19) * 3600),) for hour in (9, 19)
        ]
        await site.table("cdr", FREEPBX.format(moment=kind), *rows)
        history = opened(site, tmp_path, "cdr")
        assert await history.fault() is None
        (row,) = await history.rows(BEGAN)
        assert (row.began_at, row.answered_at, row.at) == (BEGAN, BEGAN + 2, BEGAN + 10)
        assert (row.channel.caller, row.called_name) == ("+436641112223", "PJSIP/201-00000002")
        await history.close()
