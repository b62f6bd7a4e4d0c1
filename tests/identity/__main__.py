"""`python -m tests.identity`: serves until it is ended, and says where in one line of JSON."""

from __future__ import annotations

import argparse
import json

from tests.identity.server import serve


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    server, houses = serve(parser.parse_args().port)
    print(json.dumps({"url": houses.url}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
