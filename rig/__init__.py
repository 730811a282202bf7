"""A real Asterisk of our own and a telephone to call it with, for tests, demo and benchmarks.

`get-asterisk` fetches the program, `asterisk` runs one private instance of it, `sip` is the telephone. `manager` and
`conf` serve the first, `sip_wire`, `media` and `ear` the second. Every other server (`databases`, `directories`,
`odoo`, `tryton`) is a `process.Server` with a command of its own; `get-all` fetches them all, side by side.
`record_streams` plays `situations` in an `office`, and keeps on `tape` what Asterisk says of them. Nothing here is part
of the engine; of the engine only the client of the manager interface is used here, so that there is one, and what it
asks of the files of a PBX.
"""
