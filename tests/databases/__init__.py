"""The SQL provider on a real PostgreSQL and a real MariaDB."""
