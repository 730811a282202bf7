"""`run-test`: one call without a telephone, against the real sources or canned ones."""

from __future__ import annotations

import time

from routing_engine.channels.sounds import is_here
from routing_engine.config.store import Configuration
from routing_engine.engine import open_provider, search
from routing_engine.rehearsal import DryCall, DryRun, rehearse, rehearse_canned

__all__ = ["DryCall", "DryRun", "dry_run"]


async def dry_run(configuration: Configuration, wanted: DryCall) -> DryRun:
    """Play a call through without a telephone: the same core, the same look-ups, nobody rings.

    Errors of ours are raised instead of becoming the default.
    """
    settings = configuration.settings

    def here(sound: str, language: str) -> bool:
        return is_here(sound, (language, settings.fallback_language), settings.folder)

    if wanted.records is not None:
        return await rehearse_canned(configuration, wanted, _raise, here)
    providers = {name: open_provider(one, settings) for name, one in configuration.integrations.items()}
    # No cache and no limits: a test shows what the systems say now, and takes no place of a live call.
    try:
        found = search(configuration, providers)
        return await rehearse(configuration, wanted, found, time.monotonic, _raise, here)
    finally:
        for provider in providers.values():
            await provider.close()


def _raise(error: Exception) -> None:
    raise error
