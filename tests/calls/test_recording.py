"""The recorder of event streams, and the streams that it has recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rig.record_streams import record
from tests.calls.recorded import NAMES, STREAMS, connections, expected


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_has_its_story_its_records_and_its_expectation(name: str) -> None:
    assert connections(name)
    assert expected(name)
    assert (STREAMS / f"{name}.csv").is_file()


@pytest.mark.asterisk
async def test_a_situation_is_recorded_from_its_first_channel_to_its_last(tmp_path: Path) -> None:
    await record(["attended-by-callee"], tmp_path)
    raw = (tmp_path / "attended-by-callee.ami").read_bytes()
    assert raw.startswith(b"Asterisk Call Manager/")
    assert raw.count(b"Event: Newchannel\r\n") == raw.count(b"Event: Hangup\r\n") == 4
    told = yaml.safe_load((tmp_path / "attended-by-callee.yaml").read_text())["calls"]
    assert [leg["result"] for leg in told[0]["legs"]] == ["transferred", "answered"]
    assert "+4312345601" in (tmp_path / "attended-by-callee.csv").read_text()
