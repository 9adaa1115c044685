"""Do the real clients take the model server for a model, and do they need nothing but loopback?"""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.modelserver import clean_env, client
from tests.modelserver.isolated import prefix

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


@pytest.fixture
def run(server, tmp_path):
    """Runs a real client in its workspace: exit code, and its lines of JSON."""
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)

    def start(name, *words):
        path = client(name)
        env = clean_env(home, path.parent, server, name)
        done = subprocess.run(
            [path, *words],
            env=env,
            cwd=home / "work",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    start.home = home
    return start


SESSION = "11111111-2222-4333-8444-000000000001"
CLAUDE = ("--output-format", "stream-json", "--verbose", "--model", "claude-sonnet-5-5")
CODEX = ("--json", "--skip-git-repo-check")


def test_a_real_claude_works_resumes_and_fails(server, run):
    prompt = '[[tool:Bash:{"command":"echo 1 > made.txt"}]] [[say:made it]]'
    code, lines = run("claude", "-p", prompt, *CLAUDE, "--session-id", SESSION, "--allowedTools", "Bash")
    assert (code, lines[-1]["result"]) == (0, "made it")
    assert (run.home / "work" / "made.txt").read_text() == "1\n"
    first = server.billed(session=SESSION)
    told = lines[-1]["modelUsage"]["claude-sonnet-5-5"]
    assert (told["cacheCreationInputTokens"], told["outputTokens"]) == (first.cache_write_tokens, first.output_tokens)

    code, lines = run("claude", "-p", "again [[say:two]]", *CLAUDE, "--resume", SESSION)
    assert (code, lines[-1]["result"]) == (0, "two")
    assert server.requests[-1].session == SESSION
    assert server.requests[-1].billed.cache_read_tokens == first.cache_write_tokens

    code, lines = run("claude", "-p", "x [[error:401]]", *CLAUDE)
    assert (code, lines[-1]["is_error"], lines[-1]["api_error_status"]) == (1, True, 401)
    assert {record.auth_value for record in server.requests} == {"sk-dummy"}
    assert {record.kind for record in server.requests} == {"model"}


def test_a_real_claude_shares_its_system_prompt_between_sessions(server, run):
    for prompt in ("hello", "good day"):
        run("claude", "-p", prompt, *CLAUDE)
    assert 0 < server.requests[1].billed.cache_read_tokens < server.requests[0].billed.cache_write_tokens


def test_a_real_codex_works_resumes_and_fails(server, run):
    prompt = '[[tool:exec_command:{"cmd":"echo 1 > made.txt"}]] [[think:hm]] [[say:made it]]'
    code, lines = run("codex", "exec", *CODEX, "-s", "workspace-write", prompt)
    said = [line["item"].get("text") for line in lines if line["type"] == "item.completed"]
    assert (code, said[-1]) == (0, "made it")
    assert (run.home / "work" / "made.txt").read_text() == "1\n"
    first, told = server.billed(), lines[-1]["usage"]
    assert (told["input_tokens"], told["output_tokens"]) == (first.prompt_tokens, first.output_tokens)
    assert (told["cached_input_tokens"], told["reasoning_output_tokens"]) == (first.cache_read_tokens, 2)

    thread = lines[0]["thread_id"]
    code, lines = run("codex", "exec", "resume", *CODEX, thread, "again [[say:two]]")
    assert (code, lines[0]["thread_id"], lines[-2]["item"]["text"]) == (0, thread, "two")
    assert server.requests[-1].session == thread
    assert server.requests[-1].billed.cache_read_tokens > 0

    code, lines = run("codex", "exec", *CODEX, "x [[error:401]]")
    assert (code, lines[-1]["type"]) == (1, "turn.failed")
    assert "401" in lines[-1]["error"]["message"]
    assert {record.kind for record in server.requests} == {"model"}


@contextlib.contextmanager
def agent(server, home):
    """claude-agent-acp, and a function that calls a method of it and gives the answer with the updates before."""
    path = client("claude-agent-acp")
    env = clean_env(home, path.parent, server, "claude-agent-acp")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([path], env=env, cwd=home, text=True, **pipes) as process:

        def call(number, method, **params):
            request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            updates = []
            while (message := json.loads(process.stdout.readline())).get("id") != number:
                updates.append(message.get("params", {}).get("update", {}))
            return message["result"], updates

        try:
            yield call
        finally:
            process.stdin.close()
            process.terminate()


def test_a_real_agent_by_protocol_takes_a_turn(server, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with agent(server, home) as call:
        call(0, "initialize", protocolVersion=1, clientCapabilities={})
        session, _ = call(1, "session/new", cwd=str(home), mcpServers=[])
        prompt = [{"type": "text", "text": "hello [[say:plain answer]]"}]
        result, updates = call(2, "session/prompt", sessionId=session["sessionId"], prompt=prompt)
    assert result["stopReason"] == "end_turn"
    texts = [one["content"]["text"] for one in updates if one.get("sessionUpdate") == "agent_message_chunk"]
    assert "".join(texts) == "plain answer"
    assert {record.outcome for record in server.calls} == {"ok"}


@pytest.mark.skipif("QD_LOOPBACK_ONLY" in os.environ, reason="this is that run")
def test_the_real_clients_need_nothing_but_loopback():
    """The tests above once more, where there is no other network."""
    client("claude")
    client("codex")
    isolation = prefix()
    if isolation is None:
        pytest.skip("no network namespace may be made here")
    pytest_words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__)), "-k", "real_c"]
    done = subprocess.run(
        [*isolation, *pytest_words],
        cwd=ROOT,
        env=os.environ | {"QD_LOOPBACK_ONLY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
