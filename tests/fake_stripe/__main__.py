"""`python -m tests.fake_stripe`: serves until it is ended, and says where in one line of JSON."""

from __future__ import annotations

import argparse
import json
import threading

from tests.fake_stripe.server import Front, serve_control


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--endpoint", help="where notices go from the start, those of connected accounts too")
    parser.add_argument("--secret", help="the secret they are signed with")
    wanted = parser.parse_args()
    front = Front(wanted.port)
    control = serve_control(front)
    if wanted.endpoint:
        for connect in (False, True):
            front.api.post.endpoint(wanted.endpoint, [wanted.secret], connect, ["*"])
    print(json.dumps({"url": front.url, "control": f"http://127.0.0.1:{control}"}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
