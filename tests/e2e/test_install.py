"""Is the engine handed to systemd by a unit that systemd takes, with absolute paths, and without a secret?"""

import json
import shutil
import subprocess

import pytest

from engine.runtime.lease import holder
from state.home import Home

RECORDER = """#!/bin/sh
printf '%s ' "$(basename "$0")" "$@" >> "$RECORD"
echo >> "$RECORD"
{body}
"""


class Systemd:
    """Programs of systemd's names that write down what they are asked."""

    def __init__(self, desk):
        self.folder = desk.home / "bin"
        self.folder.mkdir()
        self.record = desk.home / "asked"
        desk.env["RECORD"] = str(self.record)
        desk.env["PATH"] = f"{self.folder}:{desk.env['PATH']}"
        self.program("systemctl", "exit 0")
        self.program("loginctl", "echo no")

    def program(self, name, body):
        path = self.folder / name
        path.write_text(RECORDER.format(body=body))
        path.chmod(0o755)

    @property
    def asked(self):
        return [line.strip() for line in self.record.read_text().splitlines()] if self.record.exists() else []


@pytest.fixture
def systemd(desk):
    return Systemd(desk)


def unit(desk):
    return desk.home / ".config" / "systemd" / "user" / "quarterdeck.service"


def lines(text, key):
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def test_it_is_written_enabled_and_started_and_taken_back(desk, systemd):
    answer = desk.json("engine", "install")
    assert answer == {"path": str(unit(desk)), "enabled": True, "why": None, "lingering": False}
    assert systemd.asked[:2] == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now quarterdeck.service",
    ]
    assert systemd.asked[2].startswith("loginctl show-user ")
    assert "loginctl enable-linger" in desk.run("engine", "install")[1]
    systemd.program("loginctl", "echo yes")
    assert "linger" not in desk.run("engine", "install")[1]

    systemd.record.unlink()
    assert desk.json("engine", "uninstall") == {"path": str(unit(desk)), "removed": True, "why": None}
    assert systemd.asked == ["systemctl --user disable --now quarterdeck.service", "systemctl --user daemon-reload"]
    assert not unit(desk).exists()
    assert desk.json("engine", "uninstall")["removed"] is False


def test_live_runs_outlive_it_and_nothing_in_it_is_secret(desk, systemd):
    desk.env["ANTHROPIC_API_KEY"] = "sk-ant-canary"
    program = systemd.folder / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    desk.configure("[adapter.anthropic]\nkey = 'env:ANTHROPIC_API_KEY'\n")
    desk.json("engine", "install")
    text = unit(desk).read_text()
    assert lines(text, "KillMode") == ["process"]
    assert lines(text, "Restart") == ["on-failure"]
    (command,) = lines(text, "ExecStart")
    assert command.startswith('"/')
    assert command.endswith('"engine"')
    path = next(one for one in lines(text, "Environment") if one.startswith('"PATH='))
    folders = path.strip('"').removeprefix("PATH=").split(":")
    assert str(systemd.folder) in folders, "where claude was found"
    assert all(folder.startswith("/") for folder in folders)
    assert "canary" not in text
    assert lines(text, "EnvironmentFile") == [f"-{desk.config_file.parent}/engine.env"]


def test_where_systemd_is_not_there_it_says_what_to_run(desk, systemd):
    systemd.program("systemctl", "echo 'Failed to connect to bus' >&2; exit 1")
    answer = desk.json("engine", "install")
    assert (answer["enabled"], answer["why"]) == (False, "Failed to connect to bus")
    _, out, _ = desk.run("engine", "install")
    assert "Run: systemctl --user daemon-reload && systemctl --user enable --now quarterdeck.service" in out
    assert unit(desk).exists()


def test_printing_it_writes_and_asks_nothing(desk, systemd):
    code, out, _ = desk.run("engine", "install", "--print")
    assert (code, "ExecStart=" in out, unit(desk).exists(), systemd.asked) == (0, True, False, [])
    assert desk.json("engine", "install", "--print")["text"].rstrip() == out.rstrip()


def test_an_engine_that_runs_gives_way(desk, systemd, wait_until):
    desk.json("run", "--", "true")
    assert desk.holder_pid() is not None
    desk.json("engine", "install")
    assert desk.holder_pid() is None


def test_the_unit_runs_this_very_engine(desk, systemd, wait_until):
    """What ExecStart says is started as systemd would: with the unit's environment and no other."""
    home = desk.home / 'a $HOME with 100% "all"'
    home.mkdir()
    desk.env["QUARTERDECK_HOME"] = str(home)
    text = desk.json("engine", "install", "--print")["text"]
    words, variables = lines(text, "ExecStart")[0], lines(text, "Environment")
    argv = [read(word.replace("$$", "$")) for word in quoted(words)]
    env = dict(read(one).partition("=")[::2] for one in variables)
    assert env["QUARTERDECK_HOME"] == str(home)
    env["LD_LIBRARY_PATH"] = desk.env.get("LD_LIBRARY_PATH", "")
    engine = subprocess.Popen(argv, env=env | {"HOME": str(desk.home)}, cwd="/")
    try:
        lease = Home(config=home, state=home)
        wait_until(lambda: (found := holder(lease)) and found.ready, "the engine is there")
        status = desk.json("engine", "status")
        assert (status["pid"], status["state_folder"]) == (engine.pid, str(home))
    finally:
        engine.terminate()
        assert engine.wait(30) == 0, "which is no failure: it is not started again"


def quoted(words):
    """The words of a command, each in quotes."""
    found, word, inside, escaped = [], "", False, False
    for char in words:
        word += char if inside or char == '"' else ""
        if char == '"' and not escaped:
            inside = not inside
            if not inside:
                found, word = [*found, word], ""
        escaped = char == "\\" and not escaped
    return found


def read(word):
    """As systemd does: a lone % would begin a specifier."""
    assert "%" not in word.replace("%%", "")
    return json.loads(word).replace("%%", "%")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_takes_it(desk, systemd):
    desk.json("engine", "install")
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit(desk))],
        env={"PATH": desk.env["PATH"], "HOME": str(desk.home), "XDG_RUNTIME_DIR": str(desk.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "quarterdeck.service" in done.stderr) == (0, False), done.stderr


def test_the_doctor_says_that_it_waits_for_a_login(desk, systemd):
    desk.json("engine", "install")
    found = {one["name"]: one for one in desk.json("doctor")["findings"]}
    assert found["lingering"]["fix"].startswith("loginctl enable-linger ")
    systemd.program("loginctl", "echo yes")
    assert "lingering" not in {one["name"] for one in desk.json("doctor")["findings"]}
