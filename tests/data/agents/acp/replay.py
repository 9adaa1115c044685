"""An agent that says again what a recorded one said, each piece when the client has said its own of that time.

`replay.py WIRE FIRST`: from line FIRST of the recording on, to its end or to the next `initialize`.
"""

import json
import sys
from pathlib import Path

LINES = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()][int(sys.argv[2]) :]
ENDS = [place for place, line in enumerate(LINES) if line["msg"].get("method") == "initialize"]
LINES = LINES[: ENDS[1]] if len(ENDS) > 1 else LINES
SKIPPED = {line["msg"]["id"] for line in LINES if line["msg"].get("method") == "authenticate"}
numbers = {}


def hear(said):
    """Wait for the same from the client: its requests have numbers of its own."""
    while line := sys.stdin.readline():
        heard = json.loads(line)
        if "method" not in said and heard.get("id") == said["id"] and "method" not in heard:
            return
        if "method" in said and heard.get("method") == said["method"]:
            if "id" in said:
                numbers[said["id"]] = heard["id"]
            return
    sys.exit(0)


for line in LINES:
    message = line["msg"]
    if message.get("id") in SKIPPED and message.get("method") in (None, "authenticate"):
        continue
    if line["dir"] == "outgoing":
        hear(message)
        continue
    if "method" not in message:
        message = message | {"id": numbers[message["id"]]}
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
sys.stdin.read()
