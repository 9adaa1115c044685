"""How is the agent itself started, listened to and ended? Its keeper ends what it leaves behind."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from engine.adapters.acp_client.family import family, gone
from engine.adapters.acp_client.lines import in_one_line

_TAIL = 4096
_LEAVE_S = 5.0
_HEED_S = 1.0
_FAMILY_S = 15.0
"""How long what an agent has started for itself may take to end after it: by then it has written down what it will."""
_HASTE_S = 0.1
_HEED_IN_HASTE_S = 0.3
_REST_S = 0.5


class Agent:
    """The agent's process. What it writes to its standard error is passed on, and its end remembered."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin = process.stdin
        self.stdout = process.stdout
        self._process = process
        self._tail = b""
        self._draining = asyncio.create_task(self._drain())

    async def gone(self) -> None:
        """Return when it has ended, and what it still had to say has been heard."""
        await self._process.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._draining), _REST_S)

    def how_it_ended(self) -> str:
        """In one line, with the last that it said on its standard error."""
        code = self._process.returncode
        if code is None:
            how = "closed its output"
        elif code < 0:
            how = f"was ended by {_signal_name(-code)}"
        else:
            how = f"exited with code {code}"
        lines = self._tail.decode(errors="replace").strip().splitlines()
        last = in_one_line(lines[-1]) if lines else ""
        return f"the agent {how}: {last}" if last else f"the agent {how}"

    async def end(self) -> None:
        """It ends by itself when its input does; else it is made to. What it has started for itself it may leave behind
        with the conversation still to be written: without that, nobody could go on with it."""
        started = family(self._process.pid)
        await self._end(_LEAVE_S, _HEED_S)
        await gone(started, _FAMILY_S)

    async def end_now(self) -> None:
        """The same when all has to end, which everything it has started has been told, too, and is waited for."""
        await self._end(_HASTE_S, _HEED_IN_HASTE_S)

    async def _end(self, patience_s: float, heed_s: float) -> None:
        self.stdin.close()
        for ask in (self._process.terminate, self._process.kill):
            if await self._ends_within(patience_s):
                break
            with suppress(ProcessLookupError):
                ask()
            patience_s = heed_s
        await self._process.wait()
        self._draining.cancel()

    async def _ends_within(self, patience_s: float) -> bool:
        try:
            await asyncio.wait_for(self._process.wait(), patience_s)
        except TimeoutError:
            return False
        return True

    async def _drain(self) -> None:
        """An agent whose standard error nobody reads stops when the pipe is full."""
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(64 * 1024):
            self._tail = (self._tail + chunk)[-_TAIL:]
            written = 0
            while written < len(chunk):
                written += os.write(2, chunk[written:])


async def start(argv: Sequence[str], cwd: str) -> Agent:
    """Raises OSError when it cannot be started."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # which leads to our modules
    pipe = asyncio.subprocess.PIPE
    return Agent(await asyncio.create_subprocess_exec(*argv, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has none
        return f"signal {number}"
