"""How calls reach us: FastAGI today, ARI and plain HTTP to come.

May import `core` and `errors`, no other room of its floor. `agi/wire` turns bytes into values and touches no socket;
`agi/server` is the server around it, `agi/channel` the conversation with one call. To add a channel, write one file
with a class that keeps the port `core.ports.Channel`.
"""
