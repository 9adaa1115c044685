"""The program: a job on its input, what goes on on its output."""

import asyncio
import os
import sys

from msgspec import Struct

from engine.adapters.acp_client.conduct import conduct
from engine.adapters.acp_client.lines import encoded
from engine.adapters.acp_client.words import Words

WRONG = 2


def tell(line: Struct) -> None:
    """At once and whole: it is read while it is written."""
    rest = memoryview(encoded(line))
    while rest:
        rest = rest[os.write(1, rest) :]


async def _main() -> int:
    words = Words()
    job = await words.job()
    if job is None:
        sys.stderr.write("the first line of the input is no job\n")
        return WRONG
    return await conduct(job, words, tell)


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
