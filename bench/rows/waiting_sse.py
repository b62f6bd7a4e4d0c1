"""Ten thousand open pages wait, and each second all are told how the queue moves: what that costs the live process, in
CPU and memory, beside the bare sends of as many bytes over as many connections.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence

from embedded import places

from bench.bare_sends import allow_many_files
from bench.browser import Stream, listen
from bench.frame import Figure, Row
from bench.house import House

STREAMS = 10_000
SECONDS = 10
AT_ONCE = 200
SETTLE_SECONDS = 2.0


def measure(house: House) -> Sequence[Figure]:
    """Share of a core, memory of a stream, and the ratio to bare sends."""
    files = allow_many_files()
    assert files > STREAMS + 1_000, f"this row needs {STREAMS} connections; the machine allows {files} open files"
    return asyncio.run(_measure(house))


async def _measure(house: House) -> Sequence[Figure]:
    from django.conf import settings

    from apps.ticketing import live_tokens

    event = uuid.uuid4()
    until = int(time.time()) + 3600
    with house.running("live"):
        empty = house.memory_of("live")
        addresses = []
        for _ in range(STREAMS):
            token = live_tokens.make(uuid.uuid4(), event, expires_at=until, secret=settings.LIVE_SECRET)
            addresses.append(f"{house.live_url}/live/{token}?seen=queued&at={int(time.time())}")
        pieces: list[int] = []
        lost: list[int] = []
        streams = await _open(addresses, pieces, lost)
        await asyncio.sleep(SETTLE_SECONDS)
        full = house.memory_of("live")
        pieces.clear()
        message = await _publish(event)  # the first is a warm-up; its size is that of all
        await asyncio.sleep(SETTLE_SECONDS)
        size = max(pieces)
        pieces.clear()
        begun, cpu = time.monotonic(), house.cpu_seconds("live")
        for second in range(SECONDS):
            await _publish(event, message)
            await asyncio.sleep(max(0.0, begun + second + 1 - time.monotonic()))
        await asyncio.sleep(SETTLE_SECONDS)
        cpu = house.cpu_seconds("live") - cpu
        told = len(pieces)
        for stream in streams:
            stream.close()
    assert not lost, f"{len(lost)} of {STREAMS} streams were lost"
    assert told >= STREAMS * SECONDS * 0.99, f"{told} of {STREAMS * SECONDS} news arrived"
    bare = await _bare(size)
    return (
        Figure("the live process, telling 10,000 each second", cpu / SECONDS * 100, "% of a core", at_most=20),
        Figure("memory of a waiting page there", (full - empty) / STREAMS / 1000, "kB", at_most=45),
        Figure("the same bytes by bare sends", bare / SECONDS * 100, "% of a core"),
        Figure("times the bare sends", cpu / bare, "", aim=1.5),
    )


async def _open(addresses: Sequence[str], pieces: list[int], lost: list[int]) -> list[Stream]:
    """Open all, some hundreds at a time; what each hears is counted in `pieces` by its bytes."""
    streams: list[Stream] = []
    for start in range(0, len(addresses), AT_ONCE):
        some = addresses[start : start + AT_ONCE]
        opening = [listen(one, lambda data: pieces.append(len(data)), lambda: lost.append(1)) for one in some]
        streams += await asyncio.gather(*opening)
    return streams


async def _publish(event: uuid.UUID, message: str = "") -> str:
    """Tell the progress of an event with two quotas, as the queue does."""
    import redis.asyncio
    from django.conf import settings

    from apps.ticketing import live

    quotas = {str(uuid.uuid4()): 117, str(uuid.uuid4()): 4}
    message = message or json.dumps({"progress": {"decided": 1234, "rate": 71.3, "held": 212, "quotas": quotas}})
    async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as client:
        await client.publish(live.channel(event), message)
    return message


async def _bare(size: int) -> float:
    """CPU seconds of the bare sends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare_sends", str(STREAMS), str(size), str(SECONDS)],
        cwd=places.CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    try:
        port = int(process.stdout.readline())
        streams = await _open([f"http://127.0.0.1:{port}/?"] * STREAMS, [], [])
        seconds = float(await asyncio.to_thread(process.stdout.readline))
        for stream in streams:
            stream.close()
        return seconds
    finally:
        process.stdin.close()
        process.wait(10)


ROW = Row(
    name="waiting_sse",
    what=f"{STREAMS:,} open pages told of the queue once a second by the live process",
    measure=measure,
)
