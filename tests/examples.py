"""How many examples a property is tried with: what a property asks for, by the share that the run allows.

`EXAMPLES=10` tries a tenth of them (`make unit`), `EXAMPLES=1000` ten times as many (a search by night).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from hypothesis import HealthCheck, settings

SHARE = int(os.environ.get("EXAMPLES", "100"))
LEAST = 5
#: A busy machine is no fault of a property; and a fixture that all examples share is made for that here.
UNCHECKED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)


def _scaled(count: int) -> int:
    return max(LEAST, count * SHARE // 100)


#: A property that asks for no number gets its share, too.
settings.register_profile("share", max_examples=_scaled(100))
settings.load_profile("share")


def examples(count: int, unchecked: Iterable[HealthCheck] = UNCHECKED) -> settings:
    """Return settings for so many examples, without a time limit."""
    return settings(max_examples=_scaled(count), deadline=None, suppress_health_check=list(unchecked))
