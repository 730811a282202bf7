"""Where records come from: one file for each kind of system, all behind the port `core.ports.Provider`.

A provider may import the core, the errors, `marked` and `integration`; never another room, and no other provider.
It translates every foreign error at its edge into a `ProviderError` whose text holds no secret and no number.
To add one: write `read_settings(section, name)` and `open_...(...)`, add one line to `table.PROVIDERS`, and run
`tests/providers/contract.py` against it. Third parties register a `ProviderKind` as an entry point of the group
`routing_engine.providers`.
"""
