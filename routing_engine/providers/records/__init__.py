"""Tables of records in a file (`provider: records`): CSV, YAML, JSON and spreadsheets, for small shops and for tests.

`file` reads texts, `sheet` spreadsheets in a process of their own (`sheet_process`), `provider` keeps the table with
its indexes and looks again when the file changes. May import `net/` for paths, and `answers/`. Another format is a
reader in `file` and an ending in its table.
"""
