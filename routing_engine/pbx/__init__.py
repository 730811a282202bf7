"""One PBX: its calls are followed, and what was recorded in them is fetched.

`ami_events` turns the words of Asterisk's manager interface into events of `calls/`, without a socket or a clock.
May import `calls`, `asterisk`, `settings`, `storage` and the errors; no other room of this floor. What a call is stands
in `calls/`: here is only what Asterisk says. Another kind of telephone system gets a file beside `ami_events`, which
makes the same events.
"""
