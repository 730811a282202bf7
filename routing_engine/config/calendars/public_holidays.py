"""Public holidays by country and region. Only this file loads the library, which takes a while."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

import holidays

from routing_engine.core.calendar import Holidays
from routing_engine.settings.value_types import WrongValue
from routing_engine.settings.yaml_reader import suggest


def read_public(written: str) -> Holidays:
    """Return the holidays of `AT`, `AT-9` or `US-CA`. Raises `WrongValue` for what is not a country or region.

    Names are in the country's own language, whatever the machine's is. A year is worked out when it is first asked
    for: without a file, in less than two milliseconds. After that an answer takes half a microsecond.
    """
    country, _, region = written.strip().partition("-")
    regions = holidays.list_supported_countries(include_aliases=True)
    if country.upper() not in regions:
        remedy = "write a country's two letters, such as AT, or with its region: AT-9, US-CA"
        raise WrongValue(f"no public holidays are known for '{written[:40]}'", remedy)
    known = _same(region, regions[country.upper()])
    if region and known is None:
        remedy = suggest(region, regions[country.upper()])
        raise WrongValue(f"{country.upper()} has no region '{region[:40]}'", remedy)
    language = type(holidays.country_holidays(country.upper())).default_language
    found = holidays.country_holidays(country.upper(), subdiv=known, language=language)

    def name_of(day: date) -> str:
        return found.get(day) or ""

    return name_of


#: Whether days belong to regions is looked for in these; hardly any country changes that from year to year.
_YEARS = (2025, 2026)
#: So many regions are listed with their names, and so many at all.
_MOST_NAMED, _MOST_LISTED = 10, 60


@lru_cache(maxsize=64)
def regions_of(country: str) -> str:
    """Return the regions of a country whose holidays differ from the whole country's, as they are written and called.

    "" where none differs, and for what is no country.
    """
    known = holidays.list_supported_countries(include_aliases=True).get(country, [])
    if not known:
        return ""
    whole = set(holidays.country_holidays(country, years=_YEARS))
    own = [one for one in known if set(holidays.country_holidays(country, subdiv=one, years=_YEARS)) != whole]
    names = {code: name for name, code in reversed(_called(country)) if name != code}
    if len(own) > _MOST_NAMED:
        more = f" and {len(own) - _MOST_LISTED} more" if len(own) > _MOST_LISTED else ""
        return ", ".join(f"{country}-{one}" for one in own[:_MOST_LISTED]) + more
    return ", ".join(f"{country}-{one}" + (f" ({names[one]})" if one in names else "") for one in own)


def _called(country: str) -> list[tuple[str, str]]:
    """Return the names of a country's regions, each with how it is written."""
    return list(type(holidays.country_holidays(country)).subdivisions_aliases.items())


def _same(region: str, known: Iterable[str]) -> str | None:
    """Return the region as the library spells it."""
    return next((one for one in known if one.casefold() == region.casefold()), None)
