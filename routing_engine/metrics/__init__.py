"""What machines are told of the engine: metrics for Prometheus, readiness, spans for OpenTelemetry.

Subscribes to the events of `core.events` and reads the states that other rooms tell (`core.events.Reading`). May
import the core, the errors and `event_bus`; never another room. A new metric is a row in `table.py`, a line in `meter`
where it is counted or a `Reading` where it is known, and a row in docs/reference/metrics.md. Nothing of a caller is a
label.
"""
