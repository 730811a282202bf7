"""Asterisk's own database as a provider."""
