"""What is a keeper to do? The run's `launch.json`, and the secrets that come over its standard input.

Standard library alone, as all that a keeper imports."""

import json
import os
import select
import time

SECRETS_SIZE = 64 * 1024
"""What a pipe holds: who hands them over need not wait."""
SECRETS_S = 3.0
"""How long they may take. Less than `follow` waits for a keeper to appear."""
_NOT_WHOLE = "the secrets did not arrive whole"

Secrets = dict[str, str]


class Job:
    """The fields of KeeperJob. Raises ValueError, KeyError or TypeError when they are not there."""

    def __init__(self, text: bytes, secrets: Secrets) -> None:
        fields = json.loads(text)
        self.argv: list[str] = [str(word) for word in fields["argv"]]
        self.env: dict[str, str] = {str(name): str(value) for name, value in fields["env"].items()} | secrets
        self.cwd = str(fields["cwd"])
        self.timeout_s = float(fields["timeout_s"])
        self.grace_s = float(fields["grace_s"])
        self.output_cap = int(fields["output_cap"])
        self.silence_s = None if fields.get("silence_s") is None else float(fields["silence_s"])
        self.input_open = bool(fields.get("input_open", False))
        self.sandbox = Rules(fields["sandbox"]) if fields.get("sandbox") else None
        if not self.argv:
            raise ValueError("argv is empty")


class Rules:
    """The fields of SandboxRules."""

    def __init__(self, fields: dict[str, list[str] | None]) -> None:
        write, read = fields["write"], fields.get("read")
        if not isinstance(write, list):
            raise TypeError("sandbox.write is no list")
        self.write: tuple[str, ...] = tuple(map(str, write))
        self.read: tuple[str, ...] | None = None if read is None else tuple(map(str, read))


def read_secrets(source: int) -> Secrets | str:
    """A JSON object up to the end of `source`; in words, why there is none. It never shows what has come."""
    text = _whole(source)
    try:
        secrets = json.loads(text) if text is not None else None
    except ValueError:
        return _NOT_WHOLE
    if not isinstance(secrets, dict):
        return _NOT_WHOLE
    return {str(name): str(value) for name, value in secrets.items()}


def _whole(source: int) -> bytes | None:
    """All that comes; None when it is too much, or takes too long."""
    text = b""
    until = time.monotonic() + SECRETS_S
    poll = select.poll()
    poll.register(source, select.POLLIN)
    while len(text) <= SECRETS_SIZE and poll.poll(max(0.0, until - time.monotonic()) * 1000):
        chunk = os.read(source, SECRETS_SIZE)
        if not chunk:
            return text
        text += chunk
    return None
