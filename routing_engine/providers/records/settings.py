"""The keys of an integration with `provider: records`, and what `check` finds in its file without a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from routing_engine.core.ports import FileFindings, FileSearch
from routing_engine.providers.answers.records import check_paths
from routing_engine.providers.kind import ProviderKind, late
from routing_engine.providers.records import sheet as table_sheet
from routing_engine.providers.records.file import FORMATS, format_of
from routing_engine.providers.records.findings import look_at, searches_of
from routing_engine.settings.integration import FILE, IntegrationKeys, config_file, folder_of
from routing_engine.settings.spec import read, required, setting
from routing_engine.settings.value_types import choice, one_or_more, text
from routing_engine.settings.yaml_reader import Section, YamlValue


@dataclass(frozen=True, slots=True)
class RecordsSettings:
    """What an administrator wrote about a file. `key` is searched where a route names no field; `sheet` "" is the first
    one of a spreadsheet.
    """

    file: Path
    format: str
    phone_fields: tuple[str, ...] = ("phone",)
    key: str = "id"
    sheet: str = ""

    def look(
        self, folder: Path, fields: Mapping[str, Mapping[str, str]], region: str, searches: Sequence[FileSearch]
    ) -> FileFindings:
        """Return what a call would stumble over in the file, as the port `ReadsFile` says."""
        file = str(self.file.relative_to(folder)) if self.file.is_relative_to(folder) else str(self.file)
        wanted = [(fields[one.model], one.field, one.by_caller) for one in searches if one.model in fields]
        searched = searches_of(wanted, self.phone_fields, self.key)
        mapped = {name for one in fields.values() for name in one.values() if not name.startswith("$")}
        return look_at(self.file, file, self.format, self.sheet, region, searched, mapped)


@dataclass(frozen=True, slots=True)
class RecordsKeys(IntegrationKeys):
    """An integration with `provider: records`."""

    file: YamlValue | None = required(
        FILE.called("path"), None, "relative to the configuration folder", example="customers.csv"
    )
    format: str = setting(choice(*FORMATS), "", "see below", usual="by the file's ending")
    sheet: str = setting(text(), "", "which sheet of a spreadsheet", usual="the first one")
    phone_fields: tuple[str, ...] = setting(
        one_or_more(text()).called("a text or a list"),
        ("phone",),
        "where a search by the caller looks when the route names no `field`",
        usual="`phone`",
    )
    key: str = setting(text(), "id", "where any other search looks when the route names no `field`")

    def check(self, section: Section, what: str) -> None:
        """Note paths that cannot be compiled."""
        IntegrationKeys.check(self, section, what)
        check_paths(section, self.models)


def read_settings(section: Section, name: str, folder: Path | None = None) -> RecordsSettings:
    """Read an integration's file whole."""
    keys = read(section, RecordsKeys, f"the integration '{name}'")
    file = config_file(keys.file, folder_of(section, folder)) or Path()
    guess = format_of(file)
    if file.name and not guess and not section.has("format"):
        section.note("file", f"the ending of '{file.name}' names no format", "add format: csv, json, yaml, xlsx or ods")
    form = keys.format or guess or "csv"
    _check_sheet(section, form)
    return RecordsSettings(file, form, keys.phone_fields or ("phone",), keys.key, keys.sheet)


def _check_sheet(section: Section, form: str) -> None:
    """Note a `sheet` of what has none, and a spreadsheet that nothing here can read."""
    if section.has("sheet") and form not in table_sheet.FORMATS:
        section.note("sheet", "only a spreadsheet has sheets", "remove 'sheet'")
    if form in table_sheet.FORMATS and not table_sheet.can_read():
        section.note("file", f"nothing here can read .{form} files", table_sheet.REMEDY)


KIND = ProviderKind(read_settings, late("records.provider:open_records"), keys=RecordsKeys)
