"""The same call on pystrix 1.3: a thread for each, urllib3 with kept connections for the look-up."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping

import urllib3
from pystrix.agi import FastAGIServer, core
from pystrix.agi.fastagi import FastAGI


def main(port: int, upstream: str) -> None:
    """Serve until the process is ended."""
    pool = urllib3.PoolManager(maxsize=256)

    def carry(agi: FastAGI, *_: str | Mapping[str, str]) -> None:
        agi.execute(core.Answer())
        agi.execute(core.StreamFile("welcome"))
        typed = agi.execute(core.GetData("number", timeout=5000, max_digits=4))
        found = json.loads(pool.request("GET", upstream, fields={"number": typed[0]}).data)
        agi.execute(core.SetVariable("QUEUE", found["queue"]))
        agi.execute(core.SetVariable("PRIORITY", str(found["priority"])))
        agi.execute(core.SetVariable("NAME", found["customer"]["name"]))
        agi.execute(core.Exec("NoOp", ("done",)))

    server = FastAGIServer(port=port)
    server.register_script_handler(None, carry)
    threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
