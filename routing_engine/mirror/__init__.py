"""Sources that are pulled into an index of our own, because they are slow, capped, or cannot search by numbers.

`mirror.py` is a `Provider` in front of another; calls ask `shelf.py` (one SQLite file an integration), never the
other side. `pulling.py` fills it on a schedule (`due.py`). The room knows core, errors and what lies between; of a
provider it knows the port `Lists`, of what spares an integration only `pulling.Throttle`. To mirror one more kind
of system, implement `core.ports.Lists` there and answer `listing` in its settings: nothing changes here.
"""
