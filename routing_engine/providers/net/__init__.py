"""What several providers speak: HTTP, kept connections, addresses, credentials."""
