"""What people who take calls know of the other party, and do about it.

Who it is (`known.py`), link, create, change (`actions.py`), records of unknown callers, people's own accounts in CRMs.
It sees the look-up path and the book of calls, and no HTTP: `web/` has the addresses, `followed_calls.py` puts it
together. A thing to do is a method of `ContactDesk`; its right is asked for in `web/`.
"""
