"""Every decision on disk: what a call came to, why, and when; numbers as the privacy setting says.

`writer.Journal` takes events without making a call wait, `reader` answers questions to it, `forget` removes a number.
`tables`, `store`, `reader` and `forget` import SQLAlchemy, which costs a tenth of a second: others import them within
the function that opens a journal, with the comment `late: SQLAlchemy`, and take types from `entry` and `stored_call`.
To keep one thing more of a call, add a column to `tables.CALLS` with its `UPGRADES`, fill it in `entry`, read it in
`stored_call`.
"""
