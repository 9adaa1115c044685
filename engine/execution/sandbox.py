"""With what can this kernel hold a run to its scope, and how is that said?

What a run may touch is left to whoever knows the run; Landlock itself is applied by the keeper (`landlock`).
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.contract.outcome import SandboxRules
from engine.contract.route import SandboxMode
from engine.execution import cgroup
from engine.execution.landlock import abi

Means = Literal["landlock", "bwrap", "advisory", "off"]
"""`advisory`: nothing holds it, and it was not told to be let alone."""

WHOLE_ABI = 3
"""Before this version of Landlock a file outside the scope can be emptied, before the second none can be moved."""
_BWRAP_S = 5.0
_OWN = ("/dev", "/proc")
"""Which bwrap provides itself."""


class Features(Struct, frozen=True):
    """What was found on this machine."""

    landlock_abi: int
    """The version of its interface; 0 where there is none."""
    bwrap: str | None
    """Its path, when it was tried and did what it should."""
    bwrap_why: str
    """Why there is none, when there is none."""


@lru_cache(maxsize=1)
def features() -> Features:
    """Found out once. Where there is no Landlock that will do, it starts a process: in a thread."""
    version = abi()
    bwrap, why = (None, "not needed, since there is Landlock") if version >= WHOLE_ABI else _bwrap()
    return Features(version, bwrap, why)


def means_of(wanted: SandboxMode, has: Features) -> Means:
    """With what a run is held to its scope. An old Landlock comes after bwrap, which leaves nothing open."""
    if wanted == "off":
        return "off"
    if has.landlock_abi >= WHOLE_ABI:
        return "landlock"
    if has.bwrap is not None:
        return "bwrap"
    return "landlock" if has.landlock_abi else "advisory"


def word(means: Means, has: Features) -> str:
    """As it is kept with the run."""
    return f"landlock({has.landlock_abi})" if means == "landlock" else means


def bwrap_prefix(program: str, rules: SandboxRules, cwd: str) -> tuple[str, ...]:
    """What is put before an argv. A user namespace of its own, so that /proc leads nowhere else; no rights in it, with
    which it could mount anew; no process namespace, so that pids mean what they mean outside."""
    return (
        program,
        "--unshare-user",
        "--cap-drop",
        "ALL",
        *(("--ro-bind", "/", "/") if rules.read is None else ()),
        *("--dev", "/dev", "--bind", "/proc", "/proc"),
        *_binds(rules),
        *(("--remount-ro", "/") if rules.read is not None else ()),
        *("--chdir", cwd, "--"),
    )


def _binds(rules: SandboxRules) -> list[str]:
    """Folders before what lies in them; what may be written stays so where it lies in what may be read."""
    writes = {path: "--bind" for path in rules.write if not _lies_in(path, _OWN)}
    reads = {path: "--ro-bind-try" for path in rules.read or () if not _lies_in(path, (*rules.write, *_OWN))}
    ordered = sorted((reads | writes).items(), key=lambda item: Path(item[0]).parts)
    return [text for path, how in ordered for text in (how, path, path)]


def _lies_in(path: str, folders: Sequence[str]) -> bool:
    return any((path + "/").startswith(folder.rstrip("/") + "/") for folder in folders)


def sandbox_findings() -> list[tuple[str, str, str, str]]:
    """Name, level (`ok`, `note`), text and what to do, for each feature of the kernel that a run is kept with. Makes a
    control group for a moment."""
    has = features()
    return [_sandbox_finding(has), _bwrap_finding(has), *_others()]


def _sandbox_finding(has: Features) -> tuple[str, str, str, str]:
    version = has.landlock_abi
    if version >= WHOLE_ABI:
        scoped = "" if version >= 6 else "; signals to processes outside are not held back before version 6"
        return "landlock", "ok", f"version {version}: runs are held to their scope by the kernel{scoped}", ""
    fix = "boot a kernel of 6.2 or later with landlock among its lsm="
    if version:
        return "landlock", "note", f"version {version} does not keep a run from emptying files outside its scope", fix
    return "landlock", "note", "this kernel has none", fix


def _bwrap_finding(has: Features) -> tuple[str, str, str, str]:
    if has.bwrap:
        return "bwrap", "ok", f"{has.bwrap} works", ""
    if has.landlock_abi >= WHOLE_ABI:
        return "bwrap", "ok", has.bwrap_why, ""
    why = f"{has.bwrap_why}: a run is only checked afterwards, and one that requires a sandbox is refused"
    return "bwrap", "note", why, "install bubblewrap, or let it make user namespaces"


def _others() -> list[tuple[str, str, str, str]]:
    told = (
        ("cgroup", _has_cgroup_kill(), "each run gets a control group", "runs get none, and are looked for"),
        ("pidfd", _has_pidfd(), "the end of a run is noticed at once", "the end of a run is noticed after 0.2 s"),
    )
    return [(name, "ok" if found else "note", good if found else bad, "") for name, found, good, bad in told]


def _bwrap() -> tuple[str | None, str]:
    """Its path, or why it cannot be used: it may be installed and not allowed to do anything."""
    found = shutil.which("bwrap")
    if found is None:
        return None, "it is not on the engine's PATH"
    with tempfile.TemporaryDirectory(prefix="quarterdeck-") as folder:
        inside = Path(folder, "in")
        inside.mkdir()
        prefix = bwrap_prefix(found, SandboxRules(write=(str(inside),)), folder)
        script = "echo yes > in/file && ! echo no 2>/dev/null > out"
        try:
            done = subprocess.run(
                [*prefix, "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_BWRAP_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return None, f"{found} cannot be started: {type(error).__name__}"
        if done.returncode == 0 and (inside / "file").exists() and not Path(folder, "out").exists():
            return found, ""
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:120]
        return None, f"{found} does not work here" + (f": {last}" if last else "")


def _has_cgroup_kill() -> bool:
    """By making one: what the permissions of its folder say is not what the kernel allows."""
    own = cgroup.own()
    if own is None:
        return False
    trial = Path(own, f"quarterdeck-trial-{os.getpid()}")
    try:
        trial.mkdir()
    except OSError:
        return False
    try:
        return (trial / "cgroup.kill").exists()
    finally:
        with suppress(OSError):
            trial.rmdir()


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True
