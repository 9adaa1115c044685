"""How is a child of the engine ended for good?

asyncio tells the end of a process only once its pipes have ended, and notices that of a pipe only while it reads: a
child that is killed with its output unread, because who read it was cancelled, would be waited for for ever.
"""

import contextlib
from asyncio.subprocess import Process

_CHUNK_BYTES = 1024 * 1024


async def reaped(process: Process) -> None:
    """Kill it, throw away what it had said and nobody has read, and return when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    for output in (process.stdout, process.stderr):
        while output is not None and await output.read(_CHUNK_BYTES):
            pass
    await process.wait()
