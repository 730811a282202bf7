"""Text to speech: a program of the machine speaks, a folder keeps what it said, Asterisk plays it from there.

Keeps the port `core.ports.Speech`. May import the core, the errors, settings and storage; never another room. A text is
data from first to last: never part of a shell's line, never markup or an option to the synthesiser, never in a log.
Another synthesiser needs no code: it is a command in `engine.yaml`. To speak in another way, keep the same port.
"""
