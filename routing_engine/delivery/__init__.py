"""What is to be written elsewhere, until it is done: the CRM's call log, recordings, webhooks.

`jobs` has the values and the two ports (`Target`, `Queue`), `pauses` when something is tried again, `worker` the work.
Queues: `outbox_queue` in the calls' SQLite, `postgres_queue` on procrastinate. `planner` says what a change of a call
needs. May not import the book of calls nor another room of this floor. To add a kind of target, write a class with
`send` that returns one of the four outcomes, and run `tests/delivery/contract.py` over it where it is a queue.
`outbox_table` and `postgres_queue` import SQLAlchemy: others import them late.
"""
