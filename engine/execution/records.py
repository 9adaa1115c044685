"""What does a keeper leave in the run's folder for those who follow it? That it lives, whom it keeps, how it ended.

Standard library alone, as all that a keeper imports."""

import json
import os
import time
from collections.abc import Mapping

from engine.execution.tree import stat_of

RESERVE = 4096


class Records:
    """The files in an open folder, by which nothing else than this run's folder can be hit. Methods raise OSError."""

    def __init__(self, folder: int) -> None:
        self._folder = folder
        # Blocks that are ours even when the disk is full by the time of the end.
        self._reserve = self.create(".end.json.new", b" " * RESERVE)

    def announce(self, child: int, cgroup: str | None, first: bool = False) -> bool:
        """Write `keeper.json`. The first time it must not be there: one keeper per run, and none once given up."""
        me, its = stat_of(os.getpid()), stat_of(child) if child else None
        with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123
            record = {"pid": os.getpid(), "start_ticks": me[3] if me else 0, "boot_id": file.read().strip()}
        record |= {"child_pid": child or None, "child_start_ticks": its[3] if its else None, "cgroup": cgroup}
        aside = self.create(".keeper.json.new", json.dumps(record).encode())
        os.fsync(aside)  # half a millisecond, and no power loss leaves it empty
        os.close(aside)
        try:
            place = os.link if first else os.rename
            place(".keeper.json.new", "keeper.json", src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except FileExistsError:
            return False
        if first:
            os.unlink(".keeper.json.new", dir_fd=self._folder)
        return True

    def beat(self) -> bool:
        """Show that the keeper is not stopped: the time of `keeper.json`. False when that is gone."""
        try:
            os.utime("keeper.json", dir_fd=self._folder)
        except FileNotFoundError:
            return False
        except OSError:  # A file system that has become read-only is none of the run's business.
            pass
        return True

    def end(self, record: Mapping[str, object]) -> None:
        """Write `end.json`, the very last thing."""
        data = json.dumps(record).encode()
        os.pwrite(self._reserve, data, 0)
        os.ftruncate(self._reserve, len(data))
        os.fsync(self._reserve)
        os.rename(".end.json.new", "end.json", src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def read(self, name: str) -> bytes:
        with open(self.open(name), "rb") as file:  # noqa: PTH123
            return file.read()

    def has(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return False
        return True

    def open(self, name: str) -> int:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._folder)

    def create(self, name: str, content: bytes = b"") -> int:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=self._folder)
        while content:
            content = content[os.write(fd, content) :]
        return fd


def now_ms() -> int:
    return time.time_ns() // 1_000_000
