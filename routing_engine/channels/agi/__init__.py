"""Calls over FastAGI: the server, the wire without a socket, and the conversation with one call."""
