"""`routing-engine users match`: who is who in an integration, what is unclear, and the ids written into users.yaml."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from routing_engine.calls.ports import CallLog, LogsCalls
from routing_engine.cli.common import misuse, paint, print_json, print_table
from routing_engine.config.folder import USERS
from routing_engine.config.load import Configuration
from routing_engine.core.redact import escaped
from routing_engine.engine import open_provider, open_store
from routing_engine.errors import ProviderError
from routing_engine.settings.people import User, phone_parts
from routing_engine.settings.yaml_edit import with_value
from routing_engine.storage.files import replace_file

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class UserMatch:
    """What was found of one person: `id` in the integration, by what, or why it is unclear ("" when it is not)."""

    user: str
    id: str = ""
    by: str = ""
    unclear: str = ""
    known: str = ""

    @property
    def is_new(self) -> bool:
        """Whether it is clear, and does not stand in users.yaml yet."""
        return bool(self.id) and not self.unclear and not self.known


def run(options: argparse.Namespace) -> int:
    """Show who is who, and write it where wanted; 1 when somebody is unclear or the system refused."""
    configuration = open_store(options.config).load_people()
    if options.integration not in configuration.integrations:
        known = ", ".join(configuration.integrations) or "none"
        return misuse(f"there is no integration '{options.integration}'; there are: {known}")
    try:
        found = asyncio.run(_found(configuration, options.integration))
    except ProviderError as error:
        print(f"routing-engine: {escaped(str(error))}", file=sys.stderr)
        return 1
    if found is None:
        return misuse(f"'{options.integration}' cannot say who its users are: write 'crm' of users.yaml by hand")
    if options.json:
        print_json({"users": [_json(one) for one in found]})
    else:
        _show(found)
    new = {one.user: one.id for one in found if one.is_new}
    if new and (options.write or (not options.json and _agreed(len(new)))):
        print(f"written: {_write(options.config, options.integration, new)}", file=sys.stderr)
    return 1 if any(one.unclear for one in found) else 0


async def _found(configuration: Configuration, name: str) -> Sequence[UserMatch] | None:
    integration = replace(configuration.integrations[name], mirror=None)
    provider = open_provider(integration, configuration.settings)
    try:
        log = provider.call_log() if isinstance(provider, LogsCalls) else None
        if log is None:
            return None
        async with asyncio.timeout(_PATIENCE_S):
            return _told_apart([await _find(log, name, user) for user in configuration.users.values()])
    finally:
        await provider.close()


async def _find(log: CallLog, name: str, user: User) -> UserMatch:
    known = user.crm.get(name, "")
    by_email = await log.find_user(user.email, "") if user.email else None
    extensions = dict.fromkeys(phone_parts(phone)[1] for phone in user.phones)
    ids = {found for one in extensions if not by_email and (found := await log.find_user("", one))}
    found = by_email or (ids.pop() if len(ids) == 1 else "")
    if ids:
        return UserMatch(user.key, unclear="the phones belong to several there", known=known)
    if known:
        differs = f"users.yaml says {known}, there it is {found}" if found not in ("", known) else ""
        return UserMatch(user.key, found or known, "users.yaml", differs, known)
    if not found:
        return UserMatch(user.key, unclear="nobody there, or several, have this e-mail or extension")
    return UserMatch(user.key, found, "e-mail" if by_email else "extension")


def _told_apart(found: Sequence[UserMatch]) -> list[UserMatch]:
    """Return the matches; nobody there is two people here."""
    taken = Counter(one.known or one.id for one in found if one.id)
    return [
        replace(one, unclear="the same person there as somebody else here")
        if one.id and not one.unclear and taken[one.known or one.id] > 1
        else one
        for one in found
    ]


def _show(found: Sequence[UserMatch]) -> None:
    if not found:
        print("there is nobody: write users.yaml")
        return
    rows = [(one.user, escaped(one.id), one.by, escaped(one.unclear)) for one in found]
    print_table(("user", "there", "by", "unclear"), rows)


def _json(one: UserMatch) -> Mapping[str, str | None]:
    return {"user": one.user, "id": one.id or None, "by": one.by or None, "unclear": one.unclear or None}


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        print(paint(f"{count} can be written into users.yaml: --write", "dim"))
        return False
    return input(f"Write {count} into users.yaml? [y/N] ").strip().lower() in ("y", "yes")


def _write(folder: Path, integration: str, ids: Mapping[str, str]) -> Path:
    """Write the ids, and nothing else, into users.yaml. Raises `ConfigError` where that is not possible."""
    file = next(folder / name for name in USERS if os.path.lexists(folder / name))
    text = file.read_text(encoding="utf-8")
    for user, crm_id in ids.items():
        text = with_value(text, (user, "crm", integration), crm_id, file.name)
    # Where a link leads, so that it stays one; whoever could have set it is who we are by now.
    replace_file(Path(os.path.realpath(file)), text.encode(), file.stat().st_mode & 0o777)
    return file
