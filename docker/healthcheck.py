"""Asks a running engine one question, as Asterisk would; exit 0 when it answers and ends the call itself.

    python healthcheck.py [HOST:PORT]      127.0.0.1:4573

It may be asked for from 127.0.0.1, so that belongs to `allow` where the listener has one; where it has a secret, that
is taken from ROUTING_ENGINE_SECRET.

An open port is not enough: an engine that accepts calls and stays silent is the one that keeps callers waiting.
"""

import os
import socket
import sys
import time
from urllib.parse import quote

ENOUGH_S = 3.0  # a route that does not exist takes the engine milliseconds
# A route that no configuration has, so that the engine decides at once and asks nobody.
SECRET = quote(os.environ.get("ROUTING_ENGINE_SECRET", ""), safe="")
QUESTION = (
    f"agi_network: yes\nagi_network_script: healthcheck-nonexistent{SECRET and '?key=' + SECRET}\n"
    "agi_request: agi://127.0.0.1/healthcheck-nonexistent\n"
    "agi_channel: Healthcheck/1\nagi_language: en\nagi_type: Healthcheck\nagi_uniqueid: healthcheck\nagi_version: 22\n"
    "agi_callerid: unknown\nagi_calleridname: unknown\nagi_callingpres: 0\nagi_dnid: unknown\nagi_rdnis: unknown\n"
    "agi_context: healthcheck\nagi_extension: s\nagi_priority: 1\nagi_enhanced: 0.0\nagi_accountcode: \n\n"
)


def commands_of_one_call(host: str, port: int) -> int:
    """How many commands the engine sent before it closed; every one is answered as if it had worked."""
    until, count = time.monotonic() + ENOUGH_S, 0
    with socket.create_connection((host, port), timeout=2) as line, line.makefile("rw", newline="\n") as talk:
        talk.write(QUESTION)
        talk.flush()
        while talk.readline():
            if time.monotonic() > until:
                raise TimeoutError("the call does not end")
            count += 1
            talk.write("200 result=1\n")
            talk.flush()
    return count


def main(arguments: list[str]) -> str | None:
    """None when all is well, else the sentence for `docker inspect`."""
    host, _, port = (arguments[0] if arguments else "127.0.0.1:4573").rpartition(":")
    try:
        count = commands_of_one_call(host, int(port))
    except (OSError, ValueError) as error:
        return f"no answer from {host}:{port}: {error}"
    return None if count else f"{host}:{port} closed the call without a word"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
