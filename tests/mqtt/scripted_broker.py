"""A broker that does what a test says: refuse, stay silent, send rubbish, hang up."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14

CONNACK_OK = b"\x20\x02\x00\x00"


def publish_packet(topic: str, payload: bytes, mid: int = 0) -> bytes:
    """A PUBLISH, at QoS 1 when it has a packet identifier."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name
    body += (mid.to_bytes(2, "big") if mid else b"") + payload
    size, length = bytearray(), len(body)
    while True:
        length, digit = divmod(length, 128)
        size.append(digit | (0x80 if length else 0))
        if not length:
            break
    return bytes([0x32 if mid else 0x30]) + bytes(size) + body


@dataclass
class Peer:
    """One connection as the broker sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    packets: list[tuple[int, bytes]] = field(default_factory=list)

    async def packet(self) -> tuple[int, bytes]:
        """The next packet: its type and what follows the length."""
        head = await self.reader.readexactly(1)
        length = shift = 0
        while True:
            digit = (await self.reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        found = head[0] >> 4, await self.reader.readexactly(length)
        self.packets.append(found)
        return found

    async def accept(self) -> None:
        """Answer CONNECT."""
        assert (await self.packet())[0] == CONNECT
        self.writer.write(CONNACK_OK)

    async def serve(self, *, puback: bool = True) -> None:
        """Answer everything properly until the client leaves."""
        while True:
            kind, body = await self.packet()
            if kind == SUBSCRIBE:
                self.writer.write(b"\x90\x03" + body[:2] + b"\x01")
            elif kind == PUBLISH and puback:
                end = 2 + int.from_bytes(body[:2], "big")
                self.writer.write(b"\x40\x02" + body[end : end + 2])
            elif kind == PINGREQ:
                self.writer.write(b"\xd0\x00")
            elif kind == DISCONNECT:
                return


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def scripted(
    script: Script, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[Peer]]]:
    """Run it; the port and the connections so far."""
    peers: list[Peer] = []

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        peer = Peer(reader, writer)
        peers.append(peer)
        try:
            await script(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], peers
