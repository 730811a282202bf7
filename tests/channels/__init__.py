"""How calls reach us: the wire without a socket, the server with one, and the contract of every channel."""
