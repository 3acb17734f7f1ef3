"""A hub's intake: messages on standard input, acknowledgements on standard output.

Each message is two lengths and then topic and payload; so is each acknowledgement.
"""

import asyncio
import os
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from prometheus_client import CollectorRegistry

from gateway.clock import SystemClock
from gateway.database.engine import Database
from gateway.hub.intake import Intake, IntakeMetrics
from gateway.hub.log import HubLog
from gateway.hub.stations import StationDirectory
from gateway.ports.messaging import Delivery, Message
from gateway.wire.seal import Signer
from tests.hub.build import BrokerDelivery

FRAME = struct.Struct("<II")


class Pipe:
    """Standard input as an inbox, standard output as a publisher."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while True:
            topic, payload = FRAME.unpack(await self._reader.readexactly(FRAME.size))
            yield BrokerDelivery(
                Message(
                    topic=(await self._reader.readexactly(topic)).decode(),
                    payload=await self._reader.readexactly(payload),
                )
            )

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        assert (qos, retain) == (0, False)
        name = topic.encode()
        os.write(1, FRAME.pack(len(name), len(payload)) + name + payload)


async def main(path: Path, key: Path) -> None:
    reader = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    pipe = Pipe(reader)
    clock = SystemClock()
    database = Database(f"sqlite:///{path}")
    log = HubLog(database)
    await log.open()
    await Intake(
        pipe,
        database,
        log,
        StationDirectory(database, clock),
        pipe,
        signer=Signer.from_file(key),
        clock=clock,
        metrics=IntakeMetrics(CollectorRegistry()),
    ).run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
