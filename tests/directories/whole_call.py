"""A whole call: a SIP caller, a real Asterisk, the engine as a process, the system it asks, the destination."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from rig.asterisk import Landing
from tests.acceptance.stage import House, Stage, engine_of


async def landed(house: House, integration: str, rule: str, caller: str, secret: str = "s3cret") -> Landing:
    """Where a caller lands whose only source is this integration, with this one rule.

    `SECRET_FILE` in the integration's YAML is a file with the secret.
    """
    with TemporaryDirectory(prefix="whole-call-") as made:
        folder = Path(made)
        (folder / "integrations").mkdir()
        (folder / "secret").write_text(secret)
        text = integration.replace("'${PASSWORD}'", f"{{file: {folder}/secret}}")
        (folder / "integrations" / "shop.yaml").write_text(text)
        source = f"{{integration: shop, search: {{by: caller}}, timeout_s: 2, rules: [{{{rule}}}]}}"
        route = f"deadline_s: 3\nsources: [{source}]\ndefault: {{to: {{queue: sales}}}}\n"
        async with engine_of(house.middleware, {"whole": route}, folder=folder) as engine:
            stage = Stage(house, engine)
            call = await stage.call("whole", caller=caller)
            landing = await stage.lands(call, "queue")
            await call.hang_up()
            assert engine.complaints == []
            return landing
