"""The decision, without an event loop, a socket or a file."""
