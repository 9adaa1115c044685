"""`python -m tests.modelserver --port 0 [--log FILE]`: the server until it is interrupted; prints {"url": ...}."""

import argparse
import json
import signal
import sys
from pathlib import Path

from tests.modelserver.server import ModelServer

SIGNALS = {signal.SIGINT, signal.SIGTERM}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.modelserver", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--log", type=Path, help="a line of JSON for each request that has ended")
    given = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    with ModelServer(port=given.port, log=given.log) as server:
        sys.stdout.write(json.dumps({"url": server.url}) + "\n")
        sys.stdout.flush()
        signal.sigwait(SIGNALS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
