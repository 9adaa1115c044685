"""What goes wrong before anything runs: one plain line, the right exit code, nothing lost, never a traceback."""

import os
import shutil
import subprocess

import pytest


def line_of(err):
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    return lines[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits\n", "quarterdeck.toml:1: not TOML"),
        ('[limits]\ntimout = "5m"\n', "quarterdeck.toml:2: limits.timout: unknown key; did you mean 'timeout_max'?"),
        ('[job.x]\ncron = "61 * * * *"\n', "quarterdeck.toml:2: job.x.cron"),
        ("[budget.b]\nwindow = 'day'\ntokens = 'many'\n", "quarterdeck.toml:3: budget.b.tokens"),
    ],
)
@pytest.mark.parametrize("words", [("spawn", "--task", "x"), ("cron", "list"), ("budget", "set", "b", "--tokens", "5")])
def test_broken_toml(desk, text, said, words):
    desk.configure(text)
    code, out, err = desk.run(*words)
    assert (code, out) == (1, "")
    assert said in line_of(err)
    assert desk.config_file.read_text() == text


def test_a_state_folder_that_cannot_be_made(desk):
    desk.state.parent.mkdir(parents=True)
    desk.state.write_text("a file in the way")
    code, _, err = desk.run("spawn", "--task", "x")
    assert code == 1
    assert "cannot write the state folder" in line_of(err)
    assert "--home" in err


def test_a_state_folder_that_others_can_write(desk):
    desk.state.mkdir(parents=True)
    desk.state.chmod(0o777)
    code, _, err = desk.run("spawn", "--task", "x")
    assert code == 1
    assert f"chmod 700 {desk.state}" in line_of(err)


def test_a_database_that_is_none(desk):
    desk.state.mkdir(parents=True, mode=0o700)
    (desk.state / "quarterdeck.db").write_bytes(b"this is no database" * 100)
    code, _, err = desk.run("spawn", "--task", "x")
    assert code == 1
    assert "quarterdeck.db" in line_of(err)
    code, _, err = desk.run("sessions")
    assert code == 1
    assert "quarterdeck.db" in line_of(err)
    assert (desk.state / "quarterdeck.db").read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize("words", [(), ("--home", "/tmp/somewhere")])
def test_the_console_on_a_pipe(desk, words):
    code, out, err = desk.run(*words)
    assert (code, out) == (2, "")
    assert "needs a terminal" in line_of(err)


@pytest.mark.parametrize("term", ["dumb", ""])
@pytest.mark.skipif(shutil.which("script") is None, reason="needs script, from util-linux")
def test_the_console_on_a_dumb_terminal(desk, term):
    desk.env["TERM"] = term
    command = f"{' '.join(desk.argv)}; echo exit=$?"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        env=desk.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "cannot show the console" in done.stdout
    assert "exit=2" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nonsense",), "there is no 'nonsense'"),
        (("cron",), "did you mean: qd cron add"),
        (("spawn", "--foo"), "unrecognized arguments: --foo"),
        (("spawn", "--timeout", "soon"), "'soon' is no duration"),
        (("cron", "add", "--name", "x"), "exactly one of every and cron"),
        (("cron", "add", "--name", "x", "--cron", "* * *"), "cron takes five"),
        (("cron", "preview", "--cron", "0 0 31 2 *"), "never fires"),
        (("budget", "set", "x"), "needs --window and --tokens"),
        (("usage", "--since", "yesterday"), "is no date"),
        (("usage", "--tz", "Mars/Base"), "no time zone"),
        (("usage", "--by", "mood"), "invalid choice"),
        (("run", "show", "x"), "invalid int value"),
    ],
)
def test_a_senseless_command_line(desk, words, said):
    code, out, err = desk.run(*words)
    assert (code, out) == (2, "")
    assert said in line_of(err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "show", "99"), "there is no run 99"),
        (("session", "show", "99"), "there is no "),
        (("run", "stop", "99"), "no engine runs"),
        (("cron", "fire", "nope"), "there is no job 'nope'"),
        (("cron", "remove", "nope"), "there is no job 'nope'"),
        (("budget", "remove", "nope"), "there is no budget 'nope'"),
        (("undo",), "nothing to undo"),
        (("spawn", "--agent", "nobody"), "there is no agent 'nobody'"),
    ],
)
def test_what_is_not_there(desk, words, said):
    code, out, err = desk.run(*words)
    assert (code, out) == (1, "")
    assert said in line_of(err)


def test_json_shows_a_terminal_nothing_that_it_would_obey(desk):
    desk.install_recordings()
    log = desk.home / ".claude" / "projects" / "-home-op-work" / "11111111-2222-4333-8444-000000000001.jsonl"
    hostile = "a\\u001b[31m\u009b31m\u202eb\u200bc"
    log.write_text(log.read_text().replace("hello [[say:json]]", hostile))
    desk.run("usage")
    _, out, _ = desk.run("sessions", "--json")
    assert not [char for char in out if char != "\n" and not char.isprintable()]
    titles = [row["title"] for row in desk.json("sessions")["sessions"]]
    assert "a\x1b[31m\x9b31m\u202eb\u200bc" in titles, "what was escaped decodes to what it was"
    _, text, _ = desk.run("sessions")
    assert not [char for char in text if char != "\n" and not char.isprintable()]


def test_init_never_overwrites(desk):
    desk.configure("# mine\n")
    code, _, err = desk.run("init")
    assert code == 1
    assert "is there already" in line_of(err)
    assert desk.config_file.read_text() == "# mine\n"


def test_init_writes_what_loads(desk):
    desk.write("HEARTBEAT.md", "x")
    assert desk.json("init")["machine"]["instructions"] == ["HEARTBEAT.md"]
    assert desk.json("budget", "list")["budgets"][0]["name"] == "day"
    assert desk.json("doctor")["findings"]


def test_unreadable_and_corrupt_logs_are_counted_and_lose_nothing_else(desk):
    desk.install_recordings()
    folder = desk.home / ".claude" / "projects" / "-home-op-work"
    whole = desk.json("usage")["totals"]
    log = folder / "11111111-2222-4333-8444-000000000001.jsonl"
    with log.open("ab") as file:
        file.write(
            b'{"type":"assistant","message":{"usage":{"output_tokens": broken}}}\n\xff\xfe\x00 "usage" rubbish\n'
        )
    (folder / "garbage.jsonl").write_bytes(os.urandom(5000))
    (folder / "empty.jsonl").touch()
    (folder / "folder.jsonl").mkdir()

    again = desk.json("usage")

    assert again["totals"] == whole
    assert sum(again["coverage"]["lines_refused"].values()) >= 1
