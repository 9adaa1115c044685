"""Is a vendor's program here, and which version of it?"""

import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

_VERSION_S = 20.0
_NUMBER = re.compile(r"\d+\.\d+[0-9A-Za-z.+-]*")


def lacks(program: str | None, usual: str, package: str, adapter: str) -> tuple[str, str]:
    """Why it cannot be started, and what to do; empty when it can. `program`: as declared, else its `usual` name."""
    if shutil.which(program or usual) is not None:
        return "", ""
    if program is not None:
        return f"there is no program {program}", f"correct program = in [adapter.{adapter}]"
    return (
        f"there is no program '{usual}' on the engine's PATH",
        f"npm install -g {package}, or name it: program = in [adapter.{adapter}]",
    )


def version(program: str) -> str | None:
    """Of a program, found on the PATH unless it is a path; None when it cannot be told. Runs it once per change."""
    found = shutil.which(program)
    if found is None:
        return None
    try:
        return _version(found, Path(found).stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=16)
def _version(path: str, _mtime_ns: int) -> str | None:
    try:
        done = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_VERSION_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    number = _NUMBER.search(done.stdout.decode(errors="replace"))
    return number[0] if done.returncode == 0 and number else None
