"""What the moment of a call can be, as far as questions about its time, its day and its weekday tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from routing_engine.config.lint.atoms import Question
from routing_engine.config.lint.values import NOW, Finder, TooMany, Way, ask, is_partial, minutes_around
from routing_engine.core.compare import as_moment, is_time


def ways_of_moment(questions: Sequence[Question]) -> list[Way]:
    """Return the ways of the moment of a call, as far as they are about its time, day and weekday.

    The value is that moment in ISO 8601.
    """
    asked = {one.left.name for one in questions}
    # Parts of a time are few enough to try them all.
    partly = any(is_partial(one) for one in questions if one.left.name == "time")
    if any(is_partial(one) for one in questions if one.left.name == "date"):
        raise TooMany
    written = {str(one.expected) for one in questions if one.left.name == "time" and is_time(one.expected)}
    times = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440)] if partly else minutes_around(written)
    finder = Finder(questions)
    for day in _days(questions, every="weekday" in asked):
        for time in times if "time" in asked else ["10:00"]:
            moment = datetime.fromisoformat(f"{day}T{time}")
            # The moment of the call is `now` for what is compared with today.
            facts = {"time": time, "date": day.isoformat(), "weekday": _WEEKDAYS[day.weekday()]}
            answers = {one: ask(one, facts[one.left.name], moment) for one in questions}
            finder.put(moment.isoformat(timespec="minutes"), answers)
    return finder.found


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _days(questions: Sequence[Question], every: bool) -> list[date]:
    """Return days enough: those that are named, those beside them, and each weekday between and around them."""
    named = {
        moment.date()
        for one in questions
        if one.left.name == "date" and (moment := as_moment(one.expected, NOW)) is not None
    }
    # Eight days on either side have every weekday before and behind a day that is named.
    reach = 8 if every else 1
    bases = named or {NOW.date()}
    near = {day + timedelta(days=shift) for day in bases for shift in range(-reach, reach + 1)}
    return sorted(near)
