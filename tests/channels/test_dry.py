"""The dry run keeps the contract of every channel."""

from __future__ import annotations

from core.build import ANNA

from routing_engine.channels.dry import DryChannel

from .contract import ChannelContract, Scenario, Seen, Talk


class TestDryChannel(ChannelContract):
    async def carried(self, scenario: Scenario, talk: Talk) -> Seen:
        channel = DryChannel(ANNA, scenario.typed, scenario.variables, scenario.states)
        gave = await talk(channel)
        return Seen(gave, variables=channel.handed_back)
