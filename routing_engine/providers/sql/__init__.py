"""Tables of a database as a source of records (`provider: sql`): SQLite, PostgreSQL, MySQL and MariaDB.

`settings` reads the YAML, `statement` an operator's own queries and makes those that nobody has to write, `pool`
keeps connections, each kind of database has a file that speaks to it through its driver, `provider` reads what comes
back. What is searched always goes to the database beside the query, as a bound parameter, never within it; and every
connection can only read. May import `net/` and `answers/`. Another database is a file with `pool.SqlDriver`.
"""
