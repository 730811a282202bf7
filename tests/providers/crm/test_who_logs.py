"""Which integrations get calls: those whose system can, unless the file says otherwise; behind a mirror, too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from routing_engine.engine import ActiveConfig, activate, call_logs, open_store
from routing_engine.lookup.cache import Cache
from routing_engine.lookup.limited_log import LimitedCallLog

pytestmark = pytest.mark.io

CRM = "provider: espocrm\nserver: http://127.0.0.1:9\nauth: {api_key: {file: key}}\n"
Opens = Callable[[str], ActiveConfig]


@pytest.fixture
async def opens(tmp_path: Path) -> AsyncIterator[Opens]:
    """Activates a folder whose one integration has these further lines."""
    (tmp_path / "integrations").mkdir()
    (tmp_path / "key").write_text("k")
    (tmp_path / "key").chmod(0o600)
    opened: list[ActiveConfig] = []

    def activated(more: str, crm: str = CRM) -> ActiveConfig:
        (tmp_path / "integrations" / "crm.yaml").write_text(crm + more)
        opened.append(activate(None, open_store(tmp_path).load_integrations("crm"), Cache(10)))
        return opened[-1]

    yield activated
    for one in opened:
        for part in one.parts:
            await part.close()


@pytest.mark.parametrize("more", ["", "log: {}\n", "log: {inbound: [missed]}\n", "mirror: {}\n"])
async def test_a_crm_gets_calls_by_itself_and_behind_a_mirror_too(opens: Opens, more: str) -> None:
    active = opens(more)
    (log,) = call_logs(active).values()
    assert isinstance(log, LimitedCallLog)
    assert (log.log_at, log.takes_recording) == ("end", "file")


@pytest.mark.parametrize("more", ["log: none\n", "log: {inbound: [], outbound: [], internal: []}\n"])
async def test_none_is_written_where_the_file_says_so(opens: Opens, more: str) -> None:
    active = opens(more)
    assert call_logs(active) == {}
    assert active.configuration.integrations["crm"].log is None
