"""The same call on panoramisk 1.4 with aiohttp: what a bare script on the best known Python library costs."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
from panoramisk.fast_agi import Application, Request


async def main(port: int, upstream: str) -> None:
    """Serve until the process is ended."""
    async with aiohttp.ClientSession() as session:

        async def carry(request: Request) -> None:
            await request.send_command("ANSWER")
            await request.send_command("STREAM FILE welcome ''")
            typed = await request.send_command("GET DATA number 5000 4")
            async with session.get(upstream, params={"number": typed["result"][0]}) as answer:
                found = await answer.json(content_type=None)
            await request.send_command(f'SET VARIABLE QUEUE "{found["queue"]}"')
            await request.send_command(f'SET VARIABLE PRIORITY "{found["priority"]}"')
            await request.send_command(f'SET VARIABLE NAME "{found["customer"]["name"]}"')
            await request.send_command("EXEC NoOp done")

        application = Application()
        application.add_route("bench", carry)
        server = await asyncio.start_server(application.handler, "127.0.0.1", port)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
