"""One kept connection for many questions."""

from __future__ import annotations

import pytest

from routing_engine.errors import ProviderRefused, ProviderUnreachable
from routing_engine.providers.net.multiplexed import MultiplexedConnection, OpenLink


class Server:
    """Fails each time it is opened, in the way that comes next."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.opened = list(failures), 0

    async def open(self) -> OpenLink[str]:
        self.opened += 1
        raise self.failures.pop(0)


async def test_a_refused_log_in_is_not_repeated_with_every_call() -> None:
    server = Server(ProviderRefused("crm: it refused the password", theirs=True))
    kept = MultiplexedConnection("crm", server.open)
    for _ in range(3):
        with pytest.raises(ProviderRefused, match="it refused the password") as caught:
            await kept.ask("1", b"")
        assert caught.value.theirs
    assert server.opened == 1
    await kept.close()


async def test_a_server_that_was_down_is_tried_with_the_next_call() -> None:
    server = Server(ConnectionRefusedError(), ConnectionRefusedError())
    kept = MultiplexedConnection("crm", server.open)
    for _ in range(2):
        with pytest.raises(ProviderUnreachable):
            await kept.ask("1", b"")
    assert server.opened == 2
    await kept.close()
