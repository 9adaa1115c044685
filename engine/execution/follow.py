"""Is this run's keeper alive, how did its run end, and how is it cancelled?

All from its folder and /proc, so that any process of the owner can ask, not only the one that started it. A run has
not ended while one of its processes is left: its claims live as long."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import msgspec

from engine.contract.clock import Clock, SystemClock
from engine.contract.outcome import EndRecord, KeeperAlive
from engine.execution.remains import boot_id, end_remains, gone, keepers, run_key
from engine.execution.tree import stat_of
from state.errors import StateError

APPEAR_S = 5.0
"""How long a keeper may take from its start to its `keeper.json`."""
_POLL_S = 0.02
# Where the kernel has no pidfds.
_POLL_DEAD_S = 0.2
# While a process is left that cannot be ended: in the kernel, or another user's.
_POLL_LEFT_S = 1.0
_LEFT_BEHIND = "some of its processes could not be ended"
"""What a keeper's end record says when it had to give up."""
_GIVEN_UP = KeeperAlive(pid=0, start_ticks=0, boot_id="")


def read_end(folder: Path) -> EndRecord | None:
    """The end record; None while there is none. Raises StateError when it cannot be read."""
    content = _read(folder / "end.json")
    try:
        return None if content is None else msgspec.json.decode(content, type=EndRecord)
    except msgspec.MsgspecError as error:
        raise StateError(f"{folder / 'end.json'} is damaged: {error}") from error


def read_alive(folder: Path) -> KeeperAlive | None:
    """Who keeps or kept this run; None before the keeper has said so. Raises StateError when it cannot be read."""
    content = _read(folder / "keeper.json")
    try:
        return None if content is None else msgspec.json.decode(content, type=KeeperAlive)
    except msgspec.MsgspecError as error:
        raise StateError(f"{folder / 'keeper.json'} is damaged: {error}") from error


def find_alive(folder: Path) -> KeeperAlive | None:
    """Who keeps this run, if anybody does now. Where its record is damaged, it is known by its command line."""
    try:
        alive = read_alive(folder)
    except StateError:
        return _by_command_line(folder)
    return alive if alive is not None and is_alive(alive) else None


def _by_command_line(folder: Path) -> KeeperAlive | None:
    """The oldest, should what it keeps call itself the same."""
    found = [(ticks, pid) for pid in keepers(folder) if (ticks := start_ticks(pid)) is not None]
    return KeeperAlive(pid=min(found)[1], start_ticks=min(found)[0], boot_id=boot_id()) if found else None


def start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None when there is no such process, or only its zombie."""
    stat = stat_of(pid)
    return None if stat is None or stat[0] in "ZX" else stat[3]


def is_alive(alive: KeeperAlive) -> bool:
    """Whether exactly this keeper still runs, not a later process with its pid."""
    return alive.pid > 0 and alive.boot_id == boot_id() and start_ticks(alive.pid) == alive.start_ticks


def cancel(alive: KeeperAlive) -> bool:
    """Ask the keeper to end its run as `cancelled`; False when it is not alive any more."""
    return tell(alive, signal.SIGTERM)


def tell(alive: KeeperAlive, number: int) -> bool:
    """Send a signal to exactly this keeper; False when it is not alive any more."""
    try:
        handle = _handle(alive)
        if handle is None:
            return False
        if handle < 0:
            os.kill(alive.pid, number)
            return True
        try:
            signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
    except ProcessLookupError:
        return False
    return True


async def wait_for_end(folder: Path, clock: Clock | None = None) -> EndRecord:
    """How the run ended, as soon as it has; `interrupted` when its keeper is dead and did not say, `could_not_start`
    when none ever came.

    In that case, and when the keeper had to give up, what is left is ended first: this waits until it is gone."""
    try:
        alive = await keeper_of(folder)
        if alive is not None:
            await _dead(alive)
        end = read_end(folder)
        if end is not None:
            return await _without_rest(folder, end)
        if not folder.is_dir():  # noqa: ASYNC240
            why = "its folder is gone"
        elif alive is None or alive.pid == 0:
            return _never_started(clock or SystemClock())
        else:
            why = "the keeper died before it could say how the run ended"
    except StateError as error:
        with contextlib.suppress(StateError):
            if (end := read_end(folder)) is not None:
                return await _without_rest(folder, end)
        why = str(error)
    ended, trouble = await _end_rest(folder)
    said = [why, f"{ended} of its processes were left and ended" if ended else "", trouble]
    return _interrupted(folder, "; ".join(filter(None, said)), ended, clock or SystemClock())


async def _without_rest(folder: Path, end: EndRecord) -> EndRecord:
    """The end that a keeper wrote. One that gave up says so, and is as dead as one that was killed."""
    if _LEFT_BEHIND in end.why:
        await _end_rest(folder)
    return end


async def _end_rest(folder: Path) -> tuple[int, str]:
    """End what the keeper left, however long that takes. How many there were, and why some may have been missed."""
    key, trouble = await asyncio.to_thread(_key, folder)
    ended: set[int] = set()
    while True:
        ended |= await asyncio.to_thread(end_remains, folder, key)
        if await asyncio.to_thread(gone, folder, key):
            return len(ended), trouble
        await asyncio.sleep(_POLL_LEFT_S)


def _key(folder: Path) -> tuple[str, str]:
    """The key of the run's processes, or why it is not known: then its child's session is all that can be found."""
    try:
        return run_key(folder), ""
    except StateError as error:
        return "", str(error)


async def keeper_of(folder: Path) -> KeeperAlive | None:
    """Who keeps the run. When nobody does in time, the run is given up, so that no late keeper starts it: then its
    pid is 0. None without a folder. Raises StateError when its record is damaged and it does not live."""
    try:
        return await _recorded(folder)
    except StateError:
        found = await asyncio.to_thread(_by_command_line, folder)
        if found is None:
            raise
        return found


async def _recorded(folder: Path) -> KeeperAlive | None:
    until = time.monotonic() + APPEAR_S
    while (alive := read_alive(folder)) is None and time.monotonic() < until and folder.is_dir():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(_POLL_S)
    return alive or _give_up(folder)


def _give_up(folder: Path) -> KeeperAlive | None:
    """Take the keeper's place in `keeper.json`, unless it has just done so itself."""
    aside = folder / ".given-up.json"
    try:
        aside.write_bytes(msgspec.json.encode(_GIVEN_UP))
        os.link(aside, folder / "keeper.json")
    except FileExistsError:
        return read_alive(folder)
    except OSError:  # No folder, no keeper.
        return None
    return _GIVEN_UP


async def _dead(alive: KeeperAlive) -> None:
    """Return when this keeper has ended. A keeper's last act is its end record."""
    handle = _handle(alive)
    if handle is None:
        return
    if handle < 0:
        while is_alive(alive):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_DEAD_S)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _handle(alive: KeeperAlive) -> int | None:
    """A pidfd of this keeper, verified after opening; None when it is dead, -1 where there are no pidfds."""
    if not is_alive(alive):
        return None
    try:
        handle = os.pidfd_open(alive.pid)
    except ProcessLookupError:
        return None
    except OSError:
        return -1
    if is_alive(alive):
        return handle
    os.close(handle)
    return None


def last_heard_s(folder: Path) -> float | None:
    """How long ago the keeper of this run last showed that it is at work, as it does each second; None when no keeper
    ever was. One that is stopped enforces nothing."""
    try:
        return max(0.0, time.time() - (folder / "keeper.json").stat().st_mtime)
    except OSError:
        return None


def launched_ms(folder: Path) -> int | None:
    """When the run in this folder was handed to its keeper; None when that cannot be told any more."""
    try:
        return (folder / "launch.json").stat().st_mtime_ns // 1_000_000
    except OSError:
        return None


def _never_started(clock: Clock) -> EndRecord:
    """It was given up before it had a keeper, and gets none any more: nothing has run."""
    now_ms = clock.now_ms()
    return EndRecord("could_not_start", None, None, now_ms, now_ms, 0.0, why="the keeper never started")


def _interrupted(folder: Path, why: str, ended: int, clock: Clock) -> EndRecord:
    ended_ms = clock.now_ms()
    launched = launched_ms(folder)
    started_ms = ended_ms if launched is None else launched
    duration_s = max(0, ended_ms - started_ms) / 1000
    return EndRecord("interrupted", None, None, started_ms, ended_ms, duration_s, leaked=ended, why=why)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from error
