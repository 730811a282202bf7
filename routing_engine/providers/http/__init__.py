"""The custom middleware: one HTTP address that answers who a caller is."""
