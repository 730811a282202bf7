"""A real Asterisk of our own and a telephone to call it with, for tests, demo and benchmarks.

`get-asterisk` fetches the program, `asterisk` runs one private instance of it, `sip` is the telephone. `ami` and
`conf` serve the first, `sip_wire`, `media` and `ear` the second. Standard library only; nothing here is part of the
engine, and nothing here imports it.
"""
