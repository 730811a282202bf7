"""Tables of records in a file: CSV, YAML, JSON, spreadsheets."""
