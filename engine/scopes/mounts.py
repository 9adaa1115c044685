"""Which folders and files stand in the tree under a second name because they are mounted there, or elsewhere?"""

import os
import re
from pathlib import Path

from msgspec import Struct

_TABLE = Path("/proc/self/mountinfo")
_OCTAL = re.compile(rb"\\([0-7]{3})")


class Mount(Struct, frozen=True):
    """A line of the mount table."""

    device: int
    root: str
    """What of its file system is mounted; `/` for all of it."""
    point: str


def mounts() -> list[Mount]:
    """Every mount that this process sees; none where the system has no such table."""
    try:
        lines = _TABLE.read_bytes().splitlines()
    except OSError:
        return []
    return [_mount(line) for line in lines]


def _mount(line: bytes) -> Mount:
    fields = line.split()
    major, _, minor = fields[2].partition(b":")
    return Mount(os.makedev(int(major), int(minor)), _plain(fields[3]), _plain(fields[4]))


def _plain(field: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), field))


def mounted(workspace: str, device: int, table: list[Mount]) -> dict[str, tuple[int, int]]:
    """Device and inode of all that is mounted in the workspace, or of its own file system somewhere else, by its path.

    No other mount is touched: one whose server is gone would hang us.
    """
    inside = workspace.rstrip("/") + "/"
    near = {m.point for m in table if m.point.startswith(inside) or (m.device == device and m.root != "/")}
    found = {}
    for point in near:
        try:
            status = os.lstat(point)
        except OSError:
            continue  # hidden under another mount, or not for us: then no name of ours leads there either
        found[point] = (status.st_dev, status.st_ino)
    return found
