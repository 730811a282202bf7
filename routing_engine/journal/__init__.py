"""Every decision on disk: what a call came to, why, and when; numbers as the privacy setting says.

`writer.Journal` takes events without making a call wait, `reader` answers questions to it, `forget` removes a number.
May import the core, the errors and `marked`; never another room. SQLAlchemy is imported by `tables`, `store`, `reader`
and `forget` only, and those by nobody before a journal is opened: it costs a tenth of a second. To keep one thing more
of a call, add a column to `tables.CALLS` with its `UPGRADES`, fill it in `entry.row_of`, read it in `reader`.
"""
