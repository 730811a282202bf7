"""`routing-engine integrations`: what is configured, whether it answers, and the log-in that needs a person."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from routing_engine.cli import fields, log_test
from routing_engine.cli.common import Commands, add_command, misuse, paint, print_json
from routing_engine.cli.record import print_record
from routing_engine.config.store import Configuration
from routing_engine.core.phone import read_number
from routing_engine.core.ports import NamesAuth
from routing_engine.engine import open_store
from routing_engine.errors import ConfigError, ProviderError
from routing_engine.providers.oauth.settings import PORT, MayLogIn, OAuthSettings
from routing_engine.providers.oauth.tokens import TokenStore
from routing_engine.settings.integration import Integration
from routing_engine.settings.yaml_reader import suggest

_NONE = "no integration is configured: write integrations/NAME.yaml"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, and its own commands: check, try, log-test, login, fields."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=show)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    check = _add_action(actions, "check", "ask the real system whether it answers, and say who must act if not")
    check.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")
    check.set_defaults(run=run_check)
    trial = _add_action(actions, "try", "look a number up: each request with status, time and the answer's beginning")
    trial.add_argument("--caller", required=True, metavar="N", help="the number to look up")
    trial.add_argument("--show", action="store_true", help="and every record, in the words that rules use")
    trial.set_defaults(run=run_try)
    trial = _add_action(actions, "log-test", "show the requests that write a call into the system, or write one")
    log_test.add_options(trial)
    trial.set_defaults(run=run_log_test)
    login = _add_action(actions, "login", "log in on the vendor's page, and keep the tokens, encrypted")
    login.add_argument("--port", type=int, default=0, metavar="PORT", help=f"listen there instead of at {PORT}")
    login.add_argument("--paste", action="store_true", help="do not listen: paste the address where the browser ends")
    login.add_argument("--wait", type=float, default=600.0, metavar="S", help="seconds to wait (default: 600)")
    login.set_defaults(run=run_login)
    models = _add_action(actions, "fields", "show the data models, and which fields the system itself has")
    fields.add_options(models)
    models.set_defaults(run=show_fields)


def _add_action(actions: Commands, name: str, gives: str) -> argparse.ArgumentParser:
    action = add_command(actions, name, gives)
    action.add_argument("name", metavar="NAME", help="the integration")
    return action


def show(options: argparse.Namespace) -> int:
    """Print every integration."""
    configuration = open_store(options.config).load_integrations()
    found = [_state(one) for one in configuration.integrations.values()]
    if options.json:
        print_json({"integrations": found})
        return 0
    for one in found:
        print(_line(one))
    if not found:
        print(_NONE)
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Ask one system; 1 when it is not fine, or too slow for the calls that ask it."""
    store = open_store(options.config)
    configuration = store.load_integrations(options.name)
    found = _find(configuration, options.name)
    if isinstance(found, int):
        return found
    from routing_engine.cli.connection import check_connection, deadline_of  # late: the list asks nobody

    deadline_s = None
    with contextlib.suppress(ConfigError):  # routes that are broken do not lock this
        deadline_s = deadline_of(store.load(examples=False), found.name)
    result = check_connection(found, configuration.settings, deadline_s)
    if options.json:
        print_json(result.as_json())
    else:
        print(paint(f"{result.name}: {'fine' if result.fine else 'not fine'}", "good" if result.fine else "bad"))
        print(f"  {result.sentence}")
        print(f"  {result.remedy}")
        print(paint(f"  {result.timing}", "bad" if result.late else "dim"))
    return 0 if result.fine and not result.late else 1


def run_try(options: argparse.Namespace) -> int:
    """Look a number up, and show what was asked and answered."""
    configuration = open_store(options.config).load_integrations(options.name)
    found = _find(configuration, options.name)
    number = read_number(options.caller, configuration.settings.region)
    if isinstance(found, int):
        return found
    if number is None:
        return misuse(f"'{options.caller}' is not a telephone number; write one, for example '+43 664 1234567'")
    from routing_engine.cli.connection import try_lookup  # late: the list asks nobody

    tried = try_lookup(found, configuration.settings, number)
    print("\n".join(tried.lines))
    for model, record in tried.records if options.show else ():
        print_record(record, model, found.models[model].about)
    return 0


def run_log_test(options: argparse.Namespace) -> int:
    """Show how a call is written, or write one."""
    configuration = open_store(options.config).load_integrations(options.name)
    found = _find(configuration, options.name)
    return found if isinstance(found, int) else log_test.run(options, found, configuration.settings)


def show_fields(options: argparse.Namespace) -> int:
    """Print one integration's data models."""
    configuration = open_store(options.config).load_integrations(options.name)
    found = _find(configuration, options.name)
    return found if isinstance(found, int) else fields.run_fields(options, configuration, found)


def run_login(options: argparse.Namespace) -> int:
    """Log in; 2 where nobody has to, 1 when it did not work."""
    found = _find(open_store(options.config).load_integrations(options.name), options.name)
    if isinstance(found, int):
        return found
    oauth = oauth_of(found)
    if oauth is None or not isinstance(found.settings, MayLogIn):
        return misuse(f"'{found.name}' has no log-in: its 'auth' is {auth_way(found)}; try 'integrations check'")
    if not oauth.by_person or oauth.folder is None:
        return misuse(f"'{found.name}' logs in by itself ({oauth.grant}); try 'integrations check {found.name}'")
    if not 0 <= options.port < 65536:
        return misuse("--port must be a number from 1 to 65535")
    from routing_engine.cli.login import log_in  # late: a web server

    return log_in(found.name, oauth, found.settings.tls, options)


def _find(configuration: Configuration, name: str) -> Integration | int:
    known = configuration.integrations
    if name in known:
        return known[name]
    return misuse(f"there is no integration '{name}'; {suggest(name, known) if known else _NONE}")


def oauth_of(integration: Integration) -> OAuthSettings | None:
    """Return the OAuth2 of an integration; None where it proves who it is in another way, or not at all."""
    return integration.settings.oauth if isinstance(integration.settings, MayLogIn) else None


def auth_way(integration: Integration) -> str:
    """Return how an integration proves who it is, in the words of its `auth`; "none" where nobody asks."""
    oauth, settings = oauth_of(integration), integration.settings
    if oauth is not None:
        return f"oauth2 {oauth.grant}"
    return (settings.auth_way if isinstance(settings, NamesAuth) else "") or "none"


# ------------------------------------------------------------------------------------------------ the list


def _state(integration: Integration) -> dict[str, Any]:
    return {
        "name": integration.name,
        "provider": integration.provider,
        "models": list(integration.models),
        "auth": auth_way(integration),
        "mirror": integration.mirror is not None,
        "login": _login(integration.name, oauth_of(integration)),
    }


def _login(name: str, oauth: OAuthSettings | None) -> dict[str, Any] | None:
    """Return what is known of a log-in without asking anybody: `state` is in, out, refused or unreadable."""
    if oauth is None or oauth.folder is None or not oauth.by_person:
        return None
    try:
        kept = TokenStore(name, oauth.folder, oauth.key).read()
    except ProviderError as error:
        return {"state": "unreadable", "until": None, "renews": False, "why": str(error)}
    if kept is None:
        return {"state": "in" if oauth.refresh_token else "out", "until": None, "renews": bool(oauth.refresh_token)}
    ends = None if kept.expires_at is None else datetime.fromtimestamp(kept.expires_at).astimezone()
    until = None if ends is None else ends.isoformat(timespec="seconds")
    return {"state": "refused" if kept.refused else "in", "until": until, "renews": bool(kept.refresh_token)}


def _line(one: Mapping[str, Any]) -> str:
    parts = [f"{one['name']:<16}", f"{one['provider']:<12}", f"{', '.join(one['models']):<20}", one["auth"]]
    if one["mirror"]:
        parts.append("mirrored")
    if one["login"] is not None:
        parts.append(_login_words(one["name"], one["login"]))
    return "  ".join(parts).rstrip()


def _login_words(name: str, login: Mapping[str, Any]) -> str:
    again = f"routing-engine integrations login {name}"
    if login["state"] == "unreadable":
        return paint(login["why"], "bad")
    if login["state"] != "in":
        what = "not logged in" if login["state"] == "out" else "no longer logged in"
        return paint(f"{what}: {again}", "bad")
    if login["renews"]:
        return paint("logged in, renews itself", "good")
    return paint(f"logged in until {login['until'] or 'the system refuses it'}, then: {again}", "good")
