"""Several processes on one port (`serve --workers N`): the first begins the others, and does what exists once.

`pool` is the first process's side, `place` one worker as it sees it; `line` carries `messages` between the two, and
`places` counts calls where all can see it. What a worker does itself is in `worker_service`. May import config, the
core, the logger; never what carries a call. The decision: docs/decisions/workers.md.
"""
