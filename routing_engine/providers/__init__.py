"""Where records come from: one folder for each kind of system, all behind the port `core.ports.Provider`.

`net/` connects, `answers/` reads what comes back, `oauth/` logs in: these three are shared, and no kind of system
knows another. A provider may import the core, the errors, `settings/` and `storage/`; never another room. It
translates every foreign error at its edge into a `ProviderError` whose text holds no secret and no number. To add
one: write `read_settings(section, name, folder)` and `open_NAME(name, settings, models, region, clock)` in a folder
of its own, add a line to `registry._SHIPPED`, and run `tests/providers/contract.py` against it. Third parties
register a `registry.ProviderKind` as an entry point of the group `routing_engine.providers`.
"""
