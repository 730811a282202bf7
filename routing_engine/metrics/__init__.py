"""What machines are told of the engine: metrics for Prometheus, readiness, spans for OpenTelemetry.

Listens to the events of `core.events` and stands around the ports of `core.ports`; the state of other rooms comes in
as callables (`readings.Readings`). May import the core, the errors and `marked`; never another room. A new metric is
a row in `table.py`, a line where it is counted, a row in docs/reference/metrics.md. Nothing of a caller is a label.
"""
