"""Is `qd run --json` all that a script needs: how its program ended, what it put out, and who did it in the end?"""

import pytest

STUBBORN = "trap '' TERM; echo begun; setsid sleep 300 & sleep 300"


def test_a_program_is_run_and_told_in_one_object(desk):
    words = ("run", "--adapter", "command", "--timeout", "2s", "--grace", "1s")
    run = desk.json(*words, "--", "sh", "-c", "echo out; echo err >&2; exit 3", code=1)
    assert (run["outcome"], run["exit_code"], run["signal"]) == ("failed", 3, None)
    assert (run["stdout"], run["truncated"], run["escalated"], run["leaked"]) == ("out\n", False, False, 0)
    assert (run["stderr"], run["stderr_truncated"]) == ("err\n", False)

    run = desk.json(*words, "--", "sh", "-c", "kill -SEGV $$", code=1)
    assert (run["outcome"], run["exit_code"], run["signal"]) == ("crashed", None, 11)

    run = desk.json(*words, "--", "sh", "-c", STUBBORN, code=1)
    assert (run["outcome"], run["exit_code"], run["escalated"]) == ("timed_out", None, True)
    assert (run["stdout"], 3 <= run["duration_s"] < 30) == ("begun\n", True)

    run = desk.json(*words, "--silence", "500ms", "--", "sh", "-c", "echo begun; sleep 300", code=1)
    assert (run["outcome"], run["stdout"]) == ("silent", "begun\n")

    run = desk.json(*words, "--", "sh", "-c", "setsid sleep 300 & echo left")
    assert (run["outcome"], run["stdout"], run["leaked"] > 0) == ("succeeded", "left\n", True)

    run = desk.json(*words, "--", "sh", "-c", "head -c 9000000 /dev/zero | tr '\\0' x; echo end")
    assert (run["truncated"], run["stdout"][:3], run["stdout"][-4:]) == (True, "xxx", "end\n")
    assert len(run["stdout"]) < 70_000

    run = desk.json(*words, "--", "no-such-program", code=1)
    nothing = ("exit_code", "signal", "escalated", "leaked", "stdout", "truncated", "stderr", "duration_s")
    assert run["outcome"] == "refused"
    assert {name: run[name] for name in nothing} == dict.fromkeys(nothing)


def test_an_adapter_of_another_agent_is_refused_before_anything_is_asked(desk):
    code, out, err = desk.run("run", "--adapter", "codex", "--agent", "digest")
    assert (code, out) == (1, "")
    assert "agent 'digest' is of adapter digest, not of codex" in err
    assert not (desk.state / "orders").exists()


@pytest.mark.parametrize("words", [("run",), ("spawn",)])
def test_a_run_that_falls_back_is_followed_to_the_last(desk, words):
    desk.configure("[adapter.codex]\nprogram = '/nowhere/codex'\n")
    desk.write("a.md", "- [ ] mend the pump\n")
    chain = ("--fallback", "codex/second", "--fallback", "digest")
    last = desk.json(*words, "--model", "codex/first", *chain, "--inject", "a.md")
    assert (last["outcome"], last["adapter"], "mend the pump" in last["text"]) == ("succeeded", "digest", True)
    second = desk.json("run", "show", str(last["falls_back_from"]))
    first = desk.json("run", "show", str(second["falls_back_from"]))
    assert [one["outcome"] for one in (first, second)] == ["refused", "refused"]
    assert (first["fell_back_to"], second["fell_back_to"]) == (second["run"], last["run"])
    assert first["falls_back_from"] is None


def test_a_job_is_declared_with_the_same_options(desk):
    words = (
        "--keep",
        "none",
        "--sandbox",
        "require",
        "--silence",
        "90s",
        "--stop-tokens",
        "9k",
        "--fallback",
        "digest",
    )
    desk.json("cron", "add", "--name", "j", "--every", "1h", "--model", "claude_code/haiku", *words)
    text = desk.config_file.read_text()
    for line in (
        'agent = "claude_code"',
        'model = "claude_code/haiku"',
        "keep = []",
        'sandbox = "require"',
        'silence = "90s"',
        "stop_tokens = 9000",
        'fallback = ["digest"]',
    ):
        assert line in text


def test_an_answer_is_told_with_one_line_and_followed_once(desk):
    code, out, err = desk.run("run", "--", "echo", "an answer")
    assert (code, err) == (0, "")
    answer, line = out.rstrip().rsplit("\n\n", 1)
    assert answer.rpartition("\n")[2] == "an answer"
    assert line.startswith("run 1  command  succeeded in ")
    assert line.endswith("; qd run show 1")
    desk.run("run", "--detach", "--", "sh", "-c", "sleep 0.3; echo an answer")
    code, out, _ = desk.run("run", "show", "2", "--follow")
    assert (code, out.count("\nan answer\n") + out.startswith("an answer\n")) == (0, 1)


def test_what_went_wrong_is_said_where_it_went_wrong(desk):
    code, out, _ = desk.run("run", "--", "sh", "-c", "echo half; echo no such pump >&2; exit 3")
    assert code == 1
    assert "on its standard error:\n  no such pump\n" in out
    assert "run 1  command  failed in " in out


def test_a_number_is_not_run(desk):
    code, out, err = desk.run("run", "49")
    assert (code, out) == (2, "")
    assert "did you mean: qd run show 49?" in err
    assert not (desk.state / "orders").exists()
