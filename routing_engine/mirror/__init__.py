"""Sources that are pulled into an index of our own, because they are slow, capped, or cannot search by numbers.

`provider.py` is a `Provider` in front of another; calls ask `index.py` (one SQLite file an integration), never the
other side. `puller.py` fills it through `index_writer.py`, when `scheduler.py` says so (`schedule.py` has the sums).
Knows core, errors, settings and storage; of another provider the port `Lists`, of a limiter only `puller.Throttle`.
To mirror one more kind of system, implement `core.ports.Lists` there and answer `listing` in its settings: nothing
changes here.
"""
