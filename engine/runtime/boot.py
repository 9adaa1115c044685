"""Would anything start the engine after a reboot? If not, the jobs pane must say so."""

import subprocess
from pathlib import Path

NOTICE = "boot"
NOTE = "Nothing starts the engine after a reboot: jobs fire while a console or `qd engine` runs."


def starts_after_boot() -> str | None:
    """None when a systemd user unit or an @reboot line of this user starts the engine, else what to say."""
    wants = (Path("~/.config/systemd/user").expanduser(), Path("/etc/systemd/user"))
    if any(next(folder.glob("*.wants/quarterdeck*.service"), None) for folder in wants):
        return None
    return None if "qd engine" in _crontab() else NOTE


def _crontab() -> str:
    try:
        listed = subprocess.run(["crontab", "-l"], capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "\n".join(line for line in listed.stdout.splitlines() if line.startswith("@reboot"))
