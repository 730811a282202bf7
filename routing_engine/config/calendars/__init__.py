"""Calendars: hours, holidays, iCalendar files and the night switch, read into what conditions ask."""
