"""A call-routing engine for Asterisk: who is calling, and where should they go?

`core` decides, the rooms on floor 2 (`routes`, `lookup`, `providers`, `channels`) connect it to the world,
`call` carries one live call, `service` composes them all and `cli` is the command line. Imports go only downward.
"""

__version__ = "0.1.0"
