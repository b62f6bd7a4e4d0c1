"""The least that telling thousands of open connections can cost: a program that accepts, and sends once a second.

    python -m bench.bare_sends <connections> <bytes> <times>

Prints its port; when all are connected, sends so many bytes to each, so many times, and prints the CPU seconds of that.
"""

from __future__ import annotations

import resource
import socket
import sys
import time


def main(connections: int, size: int, times: int) -> None:
    """Accept, send, tell."""
    allow_many_files()
    server = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(server.getsockname()[1], flush=True)
    sockets = [server.accept()[0] for _ in range(connections)]
    message = b"x" * size
    begun = time.process_time()
    for second in range(times):
        at = time.monotonic() + 1
        for one in sockets:
            one.send(message)
        if second < times - 1:
            time.sleep(max(0.0, at - time.monotonic()))
    print(time.process_time() - begun, flush=True)
    sys.stdin.read()  # the connections stay open until we are let go


def allow_many_files() -> int:
    """Let this process have as many open files and connections as the machine allows it; how many."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
