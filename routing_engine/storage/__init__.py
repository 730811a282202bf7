"""What is written to disk, and what several ask for at once: the mechanisms that more than one room needs.

`database`: the engine's own, SQLite or PostgreSQL (`connector`), its form in steps (`migrations`), its calls
(`calls_table`); these import SQLAlchemy, so import them late. `files`: private, replaced whole, locked, given to their
owner. `sqlite`: one way to open a file, one set of PRAGMAs, a thread for it. `forget_note`: how a command asks a
running engine to forget a number. `single_flight`: one does the work, all wait for it. Above `calls`, below all else.
"""
