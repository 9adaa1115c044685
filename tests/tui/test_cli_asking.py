"""What does a command line ask for: which agent, and which values, exactly as it says them?"""

import argparse
from pathlib import Path

import msgspec
import pytest

from engine.config.load import parse
from engine.contract.orders import RunRequest
from state.errors import NotFound, QuarterdeckError, Refused
from tui.cli import asking
from tui.cli.dispatch import capture
from tui.cli.verb import Context

CONFIG = parse(
    '[agent.coder]\nadapter = "claude_code"\n[agent.pump]\nadapter = "acp"\nargv = ["pump"]\n',
    Path("quarterdeck.toml"),
)
TWO = parse(
    '[agent.one]\nadapter = "acp"\nargv = ["a"]\n[agent.two]\nadapter = "acp"\nargv = ["b"]\n', Path("quarterdeck.toml")
)
NONE = parse("", Path("quarterdeck.toml"))


def options(*words):
    parser = argparse.ArgumentParser()
    asking.request_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "agent"),
    [
        ((), None),
        (("--agent", "coder"), "coder"),
        (("--adapter", "command"), "command"),
        (("--adapter", "claude_code"), "claude_code"),
        (("--adapter", "claude_code", "--agent", "coder"), "coder"),
        (("--adapter", "claude_code", "--agent", "nobody"), "nobody"),
        (("--adapter", "claude_code", "--model", "haiku"), "claude_code"),
        (("--adapter", "claude_code", "--model", "claude_code/haiku"), "claude_code"),
        (("--adapter", "command", "--model", "ollama/x"), "command"),
        (("--adapter", "acp"), "pump"),
        (("--model", "claude_code/haiku"), "claude_code"),
        (("--model", "ollama/qwen2.5:3b"), "ollama"),
        (("--model", "haiku"), None),
        (("--model", "acp/x"), None),
        (("--model", "claude_code/haiku", "--agent", "coder"), "coder"),
        (("--model", "claude_code/haiku", "--template", "fix"), None),
        (("--model", "claude_code/haiku", "--", "sh"), None),
    ],
)
def test_who_does_it_is_who_is_named_or_whom_the_adapter_or_the_model_means(words, agent):
    assert asking.agent_of(options(*words), CONFIG) == agent


@pytest.mark.parametrize(
    ("words", "config", "kind", "said"),
    [
        (("--adapter", "codex", "--agent", "coder"), CONFIG, Refused, "agent 'coder' is of adapter claude_code"),
        (("--adapter", "codex", "--model", "claude_code/haiku"), CONFIG, Refused, "is for adapter claude_code"),
        (("--adapter", "claude"), CONFIG, NotFound, "there is no adapter 'claude'; did you mean 'claude_code'?"),
        (("--adapter", "acp"), TWO, Refused, "name one: --agent one or two"),
        (("--adapter", "acp"), NONE, Refused, "declare one as [agent.NAME]"),
    ],
)
def test_an_adapter_that_nobody_can_be_found_for_says_what_to_do(words, config, kind, said):
    with pytest.raises(kind) as caught:
        asking.agent_of(options(*words), config)
    error: QuarterdeckError = caught.value
    assert said in error.line


def test_every_option_reaches_the_request(world):
    words = (
        *("--agent", "coder", "--task", "t", "--task-type", "chat", "--model", "m", "--workspace", "/w", "--wait"),
        *("--inject", "a.md,b.md", "--can-read", "docs", "--can-write", "out", "--tools", "Read,Edit"),
        *("--skills", "none", "--timeout", "2s", "--grace", "1s", "--silence", "30s"),
        *("--fallback", "ollama/x", "--fallback", "digest", "--keep", "system,memory"),
        *("--permissions", "ask", "--sandbox", "require", "--read", "strict"),
        *("--max-injected", "2k", "--max-tokens", "20k", "--max-usd", "0.5"),
        *("--stop-turns", "3", "--stop-tokens", "9k", "--stop-usd", "0.25"),
    )
    asked = asking.request_of(Context(world.home, options(*words)), CONFIG, "operator", 7)
    assert asked == RunRequest(
        workspace="/w",
        agent="coder",
        task_type="chat",
        model="m",
        task="t",
        inject=("a.md", "b.md"),
        tools=("Read", "Edit"),
        fallback=("ollama/x", "digest"),
        keep=("system", "memory"),
        permissions="ask",
        sandbox="require",
        read="strict",
        skills="none",
        can_read=("docs",),
        can_write=("out",),
        timeout_s=2,
        grace_s=1,
        silence_s=30,
        injected_tokens=2_000,
        run_tokens=20_000,
        run_usd=0.5,
        stop_turns=3,
        stop_tokens=9_000,
        stop_usd=0.25,
        session_id=7,
        wait=True,
    )
    assert msgspec.json.decode(msgspec.json.encode(asked), type=RunRequest) == asked, "the engine takes it"


def test_what_is_left_out_is_left_to_the_gate(world):
    asked = asking.request_of(Context(world.home, options("--workspace", "/w")), CONFIG, "spawn")
    assert asked == RunRequest(workspace="/w", trigger="spawn")


@pytest.mark.parametrize("word", ["none", ""])
def test_none_is_an_empty_list(world, word):
    said = ("--tools", word, "--keep", word, "--fallback", word)
    asked = asking.request_of(Context(world.home, options("--workspace", "/w", *said)), CONFIG, "spawn")
    assert (asked.tools, asked.keep, asked.fallback) == ((), (), ())


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--keep", "everything"),
        ("run", "--permissions", "perhaps"),
        ("run", "--sandbox", "on"),
        ("run", "--read", "nothing"),
        ("run", "--stop-turns", "0"),
        ("run", "--stop-tokens", "0"),
        ("run", "--grace", "soon"),
        ("run", "--silence", "soon"),
        ("run", "--fork"),
        ("cron", "add", "--name", "j", "--every", "1h", "--silence", "soon"),
        ("say", "1"),
        ("say", "x", "hello"),
        ("interrupt", "x"),
    ],
)
def test_a_value_that_makes_no_sense_is_one_line_and_exit_code_2(world, words):
    code, out, err = capture([*words], world.home)
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_a_job_keeps_what_it_is_told_as_it_was_typed():
    parser = argparse.ArgumentParser()
    asking.routed_arguments(parser, str)
    said = asking.routed_values(parser.parse_args(["--silence", "90s", "--keep", "none", "--stop-usd", "1"]))
    told = {key: value for key, value in said.items() if value is not None}
    assert told == {"silence": "90s", "keep": (), "stop_usd": 1.0}
