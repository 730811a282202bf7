"""Tables of a database as a source of records (`provider: sql`): SQLite, PostgreSQL, MySQL and MariaDB.

`settings` reads the YAML, `provider` makes queries and reads what comes back. The databases themselves are spoken to
by the room `routing_engine/sql/`: what is searched goes beside the query, and every connection can only read. May
import `net/` and `answers/`.
"""
