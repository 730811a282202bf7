"""Benchmarks: what a claim about speed rests on."""
