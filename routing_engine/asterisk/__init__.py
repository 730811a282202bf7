"""What speaks Asterisk's own protocols, once, for the engine and for the rig that tests it.

`ami_wire` turns bytes of the manager interface into values and touches no socket, `ami_link` is one connection, `ami`
the client that makes it, and makes it anew.
May import the errors and `storage` only: providers, channels and the rig stand on it. The protocol belongs here, what
a room makes of it does not.
"""
