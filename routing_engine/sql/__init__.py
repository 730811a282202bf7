"""How databases of others are read: SQLite, PostgreSQL, MySQL and MariaDB.

`pool` keeps connections, each kind of database has a file that speaks to it through its driver, `statement` is what is
asked, `unknown` says what there is instead of a name that is not there. Every connection can only read; what is
searched goes to the database beside the query, as a bound parameter. Another database is a file with `pool.SqlDriver`.
"""
