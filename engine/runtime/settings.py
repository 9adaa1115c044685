"""Which configuration is in force? The newest good one: a bad edit changes nothing and is said on screen."""

import contextlib
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.config.load import Check, Problem, load, parse
from engine.config.model import Config, Job
from engine.schedule.calendar import Trigger, trigger, zone_named
from state.errors import ConfigError
from state.files import write_private
from state.home import Home


def job_trigger(config: Config, job: Job) -> Trigger:
    """When this job is due. Raises ValueError, saying which field is wrong."""
    return trigger(job.every, job.cron, job.zone or zone_name(config))


def zone_name(config: Config) -> str:
    """The operator's zone: declared, else the machine's."""
    return config.timezone or machine_zone()


def zone_of(config: Config) -> ZoneInfo:
    return zone_named(zone_name(config))


def machine_zone() -> str:
    """The IANA name of this machine's zone; UTC where it cannot be told."""
    return _machine_zone(
        os.environ.get("TZ", ""), _signature(Path("/etc/localtime")), _signature(Path("/etc/timezone"))
    )


@lru_cache(maxsize=4)
def _machine_zone(tz: str, *seen: tuple[int, int, int] | None) -> str:
    """Looked up again when one of the files that tell is another one: every verdict asks."""
    candidates = [tz.lstrip(":")]
    with contextlib.suppress(OSError):
        candidates.append(str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2])
        candidates.append(Path("/etc/timezone").read_text().strip())
    for name in filter(None, candidates):
        with contextlib.suppress(ValueError):
            return zone_named(name).key
    return "UTC"


def calendar_check(config: Config) -> Iterable[Problem]:
    """Every job has a calendar that fires, in a zone that exists."""
    try:
        zone_of(config)
    except ValueError as error:
        yield Problem(("timezone",), str(error))
        return
    for name, job in config.job.items():
        try:
            job_trigger(config, job)
        except ValueError as error:
            yield Problem(("job", name, "cron" if job.cron else "every"), str(error))


CHECKS: tuple[Check, ...] = (calendar_check,)
"""What a configuration must meet beyond what its own room can see."""


def load_strict(home: Home) -> Config:
    """The configuration as it is written now. Raises ConfigError."""
    return load(home.config_file, CHECKS)


def load_in_force(home: Home) -> Config:
    """What the engine works by: the last good configuration, without an engine the one that is written."""
    with contextlib.suppress(ConfigError):
        if home.config_in_force.exists():
            return load(home.config_in_force, CHECKS)
        return load_strict(home)
    return Config()


class Settings:
    """The engine's hold on the configuration; `poll()` notices edits."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._seen: tuple[int, int, int] | None = (-1, -1, -1)
        self.config = load_in_force(home)
        self.problem: ConfigError | None = None

    def poll(self) -> bool:
        """Look whether the file changed; True when `config` or `problem` is another one now."""
        signature = _signature(self._home.config_file)
        if signature == self._seen:
            return False
        try:
            text = self._home.config_file.read_text(encoding="utf-8") if signature else ""
            self.config = parse(text, self._home.config_file, CHECKS)
            self.problem = None
        except ConfigError as error:
            self._seen, self.problem = signature, error
            return True
        except (OSError, UnicodeDecodeError) as error:
            self._seen = signature
            self.problem = ConfigError(f"cannot read {self._home.config_file}: {error}", "check the file")
            return True
        write_private(self._home.config_in_force, text.encode())
        self._seen = signature
        return True


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_ino, info.st_size, info.st_mtime_ns
