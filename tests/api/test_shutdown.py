"""SIGTERM with an open stream: the process ends, and soon."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx

from tests.api.world import PASSWORD

PROGRAM = """
import asyncio, sys
from pathlib import Path
from api.server import ApiServer
from tests.api.world import make_world

async def main():
    world = await make_world(Path(sys.argv[1]))
    server = ApiServer(
        world.app, port=0, on_exit=world.app.state.streams.close_all, own_signals=True
    )
    feed = asyncio.create_task(world.services.live.run())
    print(server.port, flush=True)
    await server.run_until_cancelled()
    feed.cancel()
    await asyncio.gather(feed, return_exceptions=True)
    world.database.close()
    print("ended cleanly", flush=True)

asyncio.run(main())
"""


async def test_sigterm_with_an_open_stream(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            port = int(await process.stdout.readline())
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", timeout=20
            ) as client:
                signed = await client.post(
                    "/api/v1/login", json={"account": "dr.east", "password": PASSWORD}
                )
                assert signed.status_code == 200
                async with client.stream("GET", "/api/v1/stream") as answer:
                    lines = answer.aiter_lines()
                    while "snapshot" not in await anext(lines):
                        pass
                    process.send_signal(signal.SIGTERM)
                    async for _ in lines:
                        pass  # the server ends the stream in order
            # uvicorn gives the signal on to the default handler when it has ended.
            said = await process.stdout.read()
            assert await process.wait() in (0, -signal.SIGTERM)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert said in (b"", b"ended cleanly\n")
