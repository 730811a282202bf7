"""Tables of a database as a source of records: SQLite, PostgreSQL, MySQL and MariaDB.

`settings` reads the YAML, `statement` an operator's own queries, `simple` makes those that nobody has to write. `pool`
keeps connections, each kind of database has a file that speaks to it through its driver, `rows` reads what comes back.
What is searched always goes to the database beside the query, as a bound parameter, never within it; and every
connection can only read.
"""
