"""The program itself: a job on its input, lines on its output."""

import os
import sys

import msgspec

from engine.adapters.runner.count import count
from engine.adapters.runner.faults import Fault
from engine.adapters.runner.job import Job
from engine.adapters.runner.lines import Ended
from engine.adapters.runner.out import Stopped, listen, tell
from engine.adapters.runner.turn import take

WRONG = 2
NO_CONVERSATION = 3


def main(arguments: list[str]) -> int:
    listen()
    try:
        job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
        key = _key(job)
        if arguments == ["count"]:
            return _count(job, key)
        ended = take(job, key)
    except (msgspec.MsgspecError, UnicodeDecodeError, Fault) as error:
        tell([Ended(False, str(error))])
        return WRONG
    except Stopped:
        tell([Ended(False, "it was told to end")])
        return 1
    tell([ended])
    return 0 if ended.ok else NO_CONVERSATION if ended.resume_refused else 1


def _key(job: Job) -> str:
    """Taken out of the environment. Raises Fault for one that cannot be sent."""
    key = os.environ.pop(job.key_env, "").strip() if job.key_env is not None else ""
    if not key.isascii() or not key.isprintable():
        raise Fault(f"the key in {job.key_env} has characters that cannot be sent")
    return key


def _count(job: Job, key: str) -> int:
    try:
        told: dict[str, int | str | None] = {"input_tokens": count(job, key)}
    except Fault as fault:
        told = {"input_tokens": None, "why": str(fault)}
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    return 0 if "why" not in told else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
