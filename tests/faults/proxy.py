"""A cable between our processes and a server, which a test can cut: every connection through it may end at any byte."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from contextlib import suppress
from typing import Any


class Cable:
    """Passes 127.0.0.1:`port` on to another port of this machine, in a thread of its own."""

    def __init__(self, port_of_server: int) -> None:
        self.port_of_server = port_of_server
        self._pairs: dict[_End, None] = {}
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="cable", daemon=True)
        self._thread.start()
        ready.wait()

    def cut(self, chance: random.Random, *, all_of_them: bool = False) -> None:
        """Cut one connection, whichever it is, or all. Both sides see a reset, in the middle of whatever they said."""
        self._loop.call_soon_threadsafe(self._cut, chance.random(), all_of_them)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, ready: threading.Event) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(loop.create_server(lambda: _End(self), "127.0.0.1", 0))
        self.port: int = server.sockets[0].getsockname()[1]
        ready.set()
        loop.run_forever()
        server.close()
        self._cut(0, True)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    def _cut(self, luck: float, all_of_them: bool) -> None:
        ends = list(self._pairs)
        for end in ends if all_of_them else ends[int(luck * len(ends)) :][:1]:
            end.reset()


class _End(asyncio.Protocol):
    """One side of a connection through the cable; the other side is `peer`."""

    def __init__(self, cable: Cable, peer: _End | None = None) -> None:
        self.cable, self.peer = cable, peer
        self.transport: Any = None
        self.early: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.peer is None:
            self.cable._pairs[self] = None
            self.cable._loop.create_task(self._reach_server())
        else:
            for data in self.peer.early:
                transport.write(data)
            self.peer.early.clear()

    async def _reach_server(self) -> None:
        self.peer = end = _End(self.cable, self)
        try:
            await self.cable._loop.create_connection(lambda: end, "127.0.0.1", self.cable.port_of_server)
        except OSError:
            self.transport.abort()  # nobody there: as if one had called the server itself

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)
        else:
            self.early.append(data)

    def eof_received(self) -> None:
        self._end_both()

    def connection_lost(self, error: Exception | None) -> None:
        self._end_both()

    def _end_both(self) -> None:
        self.cable._pairs.pop(self, None)
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()

    def reset(self) -> None:
        self.cable._pairs.pop(self, None)
        for end in (self, self.peer):
            if end is not None and end.transport is not None:
                with suppress(OSError):
                    plug = end.transport.get_extra_info("socket")
                    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.transport.abort()
