"""Thousands of calls over real sockets, with a system that fails at random: nothing is lost, nothing is left behind."""
