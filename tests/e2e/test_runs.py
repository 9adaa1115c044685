"""A run from the command line to its settlement, with a real engine, real keepers and real children."""

import json
import os
import signal

import pytest

README = "# Plan\n\n- [ ] mend the pump\n\nThe pump in hall two loses pressure every night after the second shift.\n"
SPAWN = ("spawn", "--agent", "digest", "--can-write", "notes/out.md", "--inject", "README.md", "--timeout", "60s")


def check(run, name):
    return next(item for item in run["verdict"]["checks"] if item["name"] == name)


@pytest.fixture
def readme(desk):
    desk.write("README.md", README)
    return desk


@pytest.fixture
def holding(readme, wait_until):
    """A live run that claims `notes/`; ends when its workspace has a file `go`."""
    script = "while [ ! -e go ]; do sleep 0.05; done"
    words = ("run", "--can-write", "notes/", "--timeout", "60s", "--detach", "--", "sh", "-c", script)
    run = readme.json(*words)
    assert run["outcome"] is None
    yield run
    (readme.workspace / "go").touch()
    wait_until(lambda: readme.json("run", "show", str(run["run"]))["outcome"], "the holding run ends")


def test_a_spawn_succeeds_and_its_receipt_lists_exactly_the_injected_file(readme):
    readme.write("SECRET.md", "never injected")

    run = readme.json(*SPAWN, "--task", "what is open?")

    assert run["outcome"] == "succeeded"
    assert run["verdict"]["ok"]
    assert [part["source"] for part in run["receipt"]["parts"] if part["kind"] == "file"] == ["README.md"]
    assert {part["kind"] for part in run["receipt"]["parts"]} == {"file", "task"}
    assert run["receipt"]["tokens"] == sum(part["tokens"] for part in run["receipt"]["parts"]) > 0
    assert "mend the pump" in run["text"]
    assert (readme.workspace / "notes" / "out.md").read_text().strip() == run["text"].strip()
    assert run["usage"]["basis"] == "per_run"
    assert run["usage"]["input_tokens"] == run["receipt"]["tokens"]
    assert run["reuse_reason"] == "isolated_lane"


def test_a_spawn_into_claimed_paths_is_refused_by_name_and_path(readme, holding):
    run = readme.json(*SPAWN, "--task", "what is open?", code=1)

    conflict = check(run, "conflict")
    assert run["outcome"] == "refused"
    assert not conflict["ok"]
    assert f"run {holding['run']}" in conflict["why"]
    assert "notes/out.md" in conflict["why"]
    assert conflict["fix"]
    assert run["usage"] is None
    assert run["session"] is None
    assert not (readme.state / "runs" / str(run["run"])).exists(), "nothing was started"


def test_the_claim_ends_with_its_run(readme, holding, wait_until):
    (readme.workspace / "go").touch()
    wait_until(lambda: readme.json("run", "show", str(holding["run"]))["outcome"], "the holder ends")
    assert readme.json(*SPAWN)["outcome"] == "succeeded"


def test_a_budget_too_small_refuses_and_starts_nothing(readme):
    readme.json("budget", "set", "tiny", "--window", "day", "--tokens", "5")

    run = readme.json(*SPAWN, "--task", "what is open?", code=1)

    assert not check(run, "budget")["ok"]
    assert "tiny" in check(run, "budget")["why"]
    assert [item["name"] for item in run["verdict"]["checks"] if not item["ok"]] == ["budget"]
    assert not (readme.state / "runs" / str(run["run"])).exists()
    assert not (readme.workspace / "notes").exists()
    assert readme.json("budget", "list")["budgets"][0]["taken"] == 0


def test_raising_the_budget_lets_it_pass_and_the_books_show_what_was_used(readme):
    readme.json("budget", "set", "day", "--window", "day", "--tokens", "5")
    readme.json(*SPAWN, code=1)
    readme.json("budget", "set", "day", "--tokens", "50000")

    run = readme.json(*SPAWN)

    budget = readme.json("budget", "list")["budgets"][0]
    assert budget["held"] == 0
    assert budget["committed"] == run["usage"]["input_tokens"] + run["usage"]["output_tokens"]


@pytest.mark.parametrize(("timeout", "why"), [("0s", "no time"), ("31m", "over the maximum")])
def test_a_senseless_timeout_is_refused(readme, timeout, why):
    run = readme.json("spawn", "--inject", "README.md", "--timeout", timeout, code=1)

    assert not check(run, "timeout")["ok"]
    assert why in check(run, "timeout")["why"]


@pytest.mark.parametrize(
    ("words", "name", "why"),
    [
        (("--inject", "nope.md"), "inject", "does not exist"),
        (("--inject", "../outside.md"), "inject", "outside the workspace"),
        (("--inject", "README.md", "--can-read", "docs/"), "inject", "outside can_read"),
        (("--can-write", "../elsewhere"), "scope", "outside the workspace"),
        (("--agent", "command", "--", "no-such-program"), "agent", "no-such-program"),
        (("--agent", "command"), "agent", "no program"),
        (("--workspace", "/no/such/folder"), "agent", "not a folder"),
    ],
)
def test_every_refusal_names_its_check_and_what_to_do(readme, words, name, why):
    (readme.home / "outside.md").write_text("not yours")
    run = readme.json("spawn", *words, code=1)

    assert not check(run, name)["ok"]
    assert why in check(run, name)["why"]
    assert check(run, name)["fix"]


def test_a_run_over_the_limits_is_refused_by_inject_and_cost(readme):
    readme.configure("[limits]\ninjected_tokens = 10\nrun_tokens = 20\n")
    run = readme.json("spawn", "--inject", "README.md", code=1)
    assert [item["name"] for item in run["verdict"]["checks"] if not item["ok"]] == ["inject", "cost"]


def test_no_more_than_max_runs_are_live(readme, holding):
    readme.configure("[engine]\nmax_runs = 1\n")
    run = readme.json("spawn", "--inject", "README.md", code=1)
    assert not check(run, "concurrency")["ok"]


def test_a_command_gets_the_prompt_on_stdin_and_only_its_environment(readme):
    readme.env["TOKEN_FOR_OTHERS"] = "secret"
    run = readme.json("spawn", "--inject", "README.md", "--task", "count", "--", "sh", "-c", "cat; env")
    assert run["outcome"] == "succeeded"
    assert "mend the pump" in run["text"]
    assert "count" in run["text"]
    assert "secret" not in run["text"]
    assert f"QUARTERDECK_RUN={run['run']}" in run["text"]
    assert run["usage"] is None


def test_a_failing_command_says_so(readme):
    run = readme.json("spawn", "--", "sh", "-c", "echo broken >&2; exit 3", code=1)
    assert run["outcome"] == "failed"
    assert run["exit_code"] == 3
    assert run["why"]


def test_a_run_over_its_timeout_ends(readme):
    readme.configure('[limits]\ngrace = "1s"\n')
    run = readme.json("spawn", "--timeout", "1s", "--", "sleep", "600", code=1)
    assert run["outcome"] == "timed_out"


def test_a_live_run_is_stopped_once(readme, holding, wait_until):
    words = ("run", "stop", str(holding["run"]))
    wait_until(lambda: readme.run(*words)[0] == 0, "its keeper is up and takes the stop")
    run = wait_until(
        lambda: (found := readme.json("run", "show", str(holding["run"])))["outcome"] and found, "it has ended"
    )
    assert run["outcome"] == "cancelled"
    code, _, err = readme.run(*words)
    assert code == 1
    assert "has ended already" in err


def test_an_agent_resumes_its_conversation_and_sees_what_changed(readme):
    first = readme.json("run", "--inject", "README.md")
    readme.write("README.md", README + "- [ ] order a gasket\n")
    second = readme.json("run", "--inject", "README.md")

    assert (first["reuse_reason"], second["reuse_reason"]) == ("first_run", "same_conversation")
    assert first["session"] == second["session"]
    assert second["session_reused"] is True
    assert "order a gasket" in second["text"].partition("Changed since")[2]


def test_a_reset_starts_afresh_is_undone_while_unused_and_keeps_the_old_generation(readme):
    session = str(readme.json("run", "--inject", "README.md")["session"])

    readme.json("session", "reset", session, "--note", "too chatty")
    generations = readme.json("session", "show", session)["generations"]
    assert [(item["number"], item["reason"], item["note"]) for item in generations] == [
        (1, "first_run", None),
        (2, "operator_reset", "too chatty"),
    ]
    readme.json("undo")
    assert readme.json("run", "--inject", "README.md")["reuse_reason"] == "same_conversation"

    readme.json("session", "reset", session)
    assert readme.json("run", "--inject", "README.md")["reuse_reason"] == "operator_reset"
    code, _, err = readme.run("undo")
    assert code == 1
    assert "a run has used" in err
    kept = readme.json("session", "show", session)["generations"]
    assert [item["responses"] for item in kept] == [2, 0, 1], "nothing of the old generations is gone"


def test_a_conversation_the_provider_forgot_starts_afresh_in_the_same_run(readme):
    first = readme.json("run", "--inject", "README.md")
    for path in (readme.state / "agents" / "digest").glob("*.json"):
        path.unlink()

    second = readme.json("run", "--inject", "README.md")

    assert second["outcome"] == "succeeded"
    assert second["reuse_reason"] == "resume_refused"
    assert second["session"] == first["session"]
    assert second["session_reused"] is False
    assert readme.json("run", "--inject", "README.md")["reuse_reason"] == "same_conversation"


def test_a_run_outlives_a_killed_engine_and_the_next_one_settles_it(readme, holding, wait_until):
    pid = readme.engine_pid()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: readme.holder_pid() is None, "the engine is gone")
    (readme.workspace / "go").touch()

    readme.json("spawn", "--inject", "README.md")

    assert readme.engine_pid() != pid
    run = wait_until(
        lambda: (found := readme.json("run", "show", str(holding["run"])))["outcome"] and found, "it is settled"
    )
    assert run["outcome"] == "succeeded"


def test_a_run_whose_keeper_was_killed_is_interrupted(readme, holding, wait_until):
    keeper = readme.state / "runs" / str(holding["run"]) / "keeper.json"
    pid = wait_until(lambda: keeper.exists() and json.loads(keeper.read_text()), "it has a keeper")["pid"]
    os.kill(pid, signal.SIGKILL)
    run = wait_until(
        lambda: (found := readme.json("run", "show", str(holding["run"])))["outcome"] and found, "it is settled"
    )
    assert run["outcome"] == "interrupted"
    assert readme.json(*SPAWN)["outcome"] == "succeeded", "its claim is gone"


def test_a_declared_agent_carries_its_instructions_and_exactly_its_allowed_skills(readme):
    for name in ("deploy", "changelog", "secrets"):
        readme.write(f".claude/skills/{name}/SKILL.md", f"---\nname: {name}\ndescription: How to {name}\n---\nbody\n")
    readme.write("AGENTS.md", "Be brief.\n")
    readme.configure(
        f"""
        [agent.scribe]
        adapter = "command"
        argv = ["cat"]
        workspace = "{readme.workspace}"
        instructions = "AGENTS.md"
        inject = ["README.md"]
        skills = "review"
        timeout = "9s"
        env = ["FOR_SCRIBE"]
        [skill_set.review]
        skills = ["deploy", "changelog"]
        """
    )
    run = readme.json("run", "--agent", "scribe", "--task", "go")
    parts = {part["kind"]: part for part in run["receipt"]["parts"]}
    assert list(parts) == ["instructions", "skills", "file", "task"]
    assert [part["stable"] for part in run["receipt"]["parts"]] == [True, True, True, False]
    assert parts["skills"]["source"] == "deploy, changelog"
    assert "How to deploy" in run["text"]
    assert "secrets" not in run["text"]
    assert run["timeout_s"] == 9
    assert run["text"].startswith("Be brief.")


def test_skills_lists_what_they_cost_and_sets_are_declared_by_a_verb(readme):
    readme.write(".claude/skills/deploy/SKILL.md", "---\nname: deploy\ndescription: How to deploy\n---\nbody text\n")
    readme.json("skills", "set", "ops", "deploy", "nope", "--agent", "digest")
    listed = readme.json("skills")
    (skill,) = listed["skills"]
    assert (skill["name"], skill["origin"]) == ("deploy", "workspace")
    assert skill["meta_tokens"] > 0
    assert skill["body_tokens"] > 0
    ops = next(item for item in listed["sets"] if item["name"] == "ops")
    assert ops["used_by"] == ["digest"]
    assert ops["missing"] == ["nope"]
    assert ops["meta_tokens"] == skill["meta_tokens"]
