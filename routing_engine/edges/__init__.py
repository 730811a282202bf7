"""The line between an engine beside a PBX (an edge) and the engine that keeps the calls (the hub).

`messages` is what they say to each other, and as pure as `calls/`; `line` writes it, `to_hub` is the edge's end and
`hub` the other one. May import the rooms below, but neither the API nor a composer. To say something new, add a message
and let both ends ignore it where they do not know it.
"""
