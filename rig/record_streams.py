"""Record what a real Asterisk tells over its manager interface, situation by situation, for the tests of `calls/`.

    python -m rig.record_streams                 # all
    python -m rig.record_streams hold pickup     # these

Writes three files each into `tests/calls/streams`: `NAME.ami`, the bytes of the manager connections; `NAME.csv`, the
call detail records; `NAME.yaml`, what people did, and the call records to be made of it, as the telephones saw them.
"""

import asyncio
import sys
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml

from rig.conf import PATIENCE_S
from rig.office import STREAMS, Office, office
from rig.situations import SITUATIONS, Situation
from rig.told import Told, Value

CSV = "log/cdr-csv/Master.csv"
#: The lines of `cdr show active` above the calls.
HEADING = 3


async def record(names: Sequence[str], folder: Path = STREAMS) -> None:
    """Play the situations of these names, all of them without a name, and write down what was told of each."""
    chosen = [SITUATIONS[name] for name in names or SITUATIONS]
    shared = [one for one in chosen if not one.alone]
    if shared:
        async with office() as firm:
            for situation in shared:
                await _record(situation, firm, folder)
    for situation in chosen:
        if situation.alone:
            async with office() as firm:
                await _record(situation, firm, folder)


async def _record(situation: Situation, firm: Office, folder: Path) -> None:
    records = firm.asterisk.directory / CSV
    before = records.stat().st_size if records.exists() else 0
    firm.begin_tape(situation.classes)
    await firm.tape.start()
    told = await situation.play(firm)
    await firm.everybody_hangs_up()
    await firm.tape.until(lambda: situation.broken or not firm.tape.living, f"{situation.name}: calls are left")
    await _cdrs_are_written(firm)
    await firm.tape.stop()
    (folder / f"{situation.name}.ami").write_bytes(firm.tape.raw)
    (folder / f"{situation.name}.csv").write_bytes(records.read_bytes()[before:] if records.exists() else b"")
    (folder / f"{situation.name}.yaml").write_text(_page(situation, told, firm))
    print(f"{situation.name}: {len(firm.tape.messages)} messages")


async def _cdrs_are_written(firm: Office) -> None:
    """Wait until Asterisk knows of no call any more whose record it will still write; no event tells of that."""
    async with asyncio.timeout(PATIENCE_S):
        while len((await firm.asterisk.command("cdr show active")).strip().splitlines()) > HEADING:
            pass


def _page(situation: Situation, told: Sequence[Told], firm: Office) -> str:
    story = textwrap.fill(situation.story, 98, initial_indent="  ", subsequent_indent="  ")
    calls: list[Value] = [one.members(firm) for one in told]
    recorded: dict[str, Value] = {
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "asterisk": firm.version,
        "connections": firm.tape.began,
    }
    rest = yaml.safe_dump({**recorded, "calls": calls}, sort_keys=False, allow_unicode=True, width=98)
    return f"# Written by `python -m rig.record_streams {situation.name}`.\nstory: >-\n{story}\n{rest}"


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
