"""`routing-engine init`: a configuration folder that works as it is, to be changed."""

from __future__ import annotations

import argparse
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from routing_engine.cli.common import misuse
from routing_engine.cli.schema import add_modelines, write_schemas
from routing_engine.config.folder import STATE
from routing_engine.core.destinations import PROFILES
from routing_engine.settings.environment import ENVIRONMENT
from routing_engine.settings.listeners import FASTAGI, FREEPBX_FASTAGI


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="plain", help="the dialplan around it")
    parser.set_defaults(run=run, tells_refusal=False, configures=True)


def run(options: argparse.Namespace) -> int:
    """Write the folder; nothing that is there is overwritten."""
    folder: Path = options.folder
    # 'install-service' may have been quicker: what the service needs there is no configuration.
    if folder.exists() and (not folder.is_dir() or {one.name for one in folder.iterdir()} - {ENVIRONMENT, STATE}):
        return misuse(f"{folder} is there and not empty; name a new folder")
    with as_file(files("routing_engine") / "starter") as starter:
        shutil.copytree(starter / "config", folder, dirs_exist_ok=True)
        write_schemas(folder)
        # Behind the schemas, which the lines lead to.
        add_modelines(folder)
        shutil.copytree(starter / "dialplan", folder / "dialplan")
        if options.profile == "freepbx":
            _fit_freepbx(folder)
        shutil.copytree(starter / "sounds", folder / "sounds", ignore=shutil.ignore_patterns("make", "*.csv", "*.md"))
    print(_WHAT_NEXT.format(folder=folder))
    return 0


def _fit_freepbx(folder: Path) -> None:
    """Move both engines away from the port of FreePBX's own FastAGI server, wherever it is written."""
    engine = folder / "engine.yaml"
    first, second = (f"127.0.0.1:{FREEPBX_FASTAGI.port + more}" for more in (0, 1))
    text = engine.read_text().replace(f"127.0.0.1:{FASTAGI.port}", first).replace("profile: plain", "profile: freepbx")
    engine.write_text(text)
    (folder / "dialplan" / "globals_custom.conf").write_text(f"ROUTING_ENGINE_1={first}\nROUTING_ENGINE_2={second}\n")


_WHAT_NEXT = """{folder} is ready:
  engine.yaml             how the service runs
  integrations/           where records come from: customers.yaml reads customers.csv
  routes/support.yaml     who goes where
  dialplan/               #include routing-engine.conf from extensions.conf
  schema/                 what editors check these files by: 'routing-engine schema' writes them anew
  sounds/                 the prompts; copy en/ and de/ to Asterisk's sounds folder

Try it:
  routing-engine --config {folder} check
  routing-engine --config {folder} run-test support --caller '+43 664 1234567' --input 123456
  routing-engine --config {folder} serve                    and in a second terminal:
  routing-engine --config {folder} call support --caller '+43 664 1234567'"""
