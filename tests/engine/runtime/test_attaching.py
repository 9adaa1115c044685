"""What an attached run asks for, what it is refused for, and what lies ready for it."""

import json
from pathlib import Path

import pytest

from engine.config.model import Agent, Config
from engine.contract.launch import AdapterRequest, Prompt, Service
from engine.runtime.attaching import LAUNCH, agent_of, given, opened, prepare, request_of
from state import runs, sessions
from state.database import open_writer
from state.errors import NotFound, Refused
from state.home import Home

CONFIG = Config(agent={"coder": Agent(adapter="claude_code"), "script": Agent(adapter="command", argv=("true",))})
RUN = {
    "agent": "coder", "adapter": "claude_code", "lane": "main", "trigger": "operator", "task_type": "chat", "task": "t",
    "can_read": "[]", "can_write": "[]", "inject": "[]", "estimate_tokens": 1, "verdict": "{}", "requested_ms": 1,
}  # fmt: skip


class Desk:
    def __init__(self, folder):
        self.workspace = folder / "work"
        self.workspace.mkdir()
        self.home = Home(config=folder / "home", state=folder / "home")
        self.home.state.mkdir(mode=0o700)
        self.home.runs.mkdir(mode=0o700)
        self.database = open_writer(self.home)

    def session(self, agent="coder", *, known=True):
        with self.database.transaction() as tx:
            where = {"workspace": str(self.workspace), "at_ms": 1}
            made = sessions.open_session(tx, agent=agent, lane="main", job=None, title="t", **where)
            more = {
                "source": "quarterdeck",
                "provider_home": "",
                "provider_id": f"p{made}" if known else None,
                "model": None,
            }
            sessions.start_generation(tx, made, reason="first_run", note=None, **more, **where)
        return made

    def run(self, session, state="settled"):
        with self.database.transaction() as tx:
            generation = sessions.get(tx, session).generation_id
            where = {"session_id": session, "generation_id": generation, "workspace": str(self.workspace)}
            return runs.get(tx, runs.add(tx, RUN | where | {"state": state}))

    def observed(self, source, home, workspace):
        with self.database.transaction() as tx:
            times = {"last_active_ms": 1, "started_ms": 1}
            more = {"workspace": workspace, "title": "seen", "model": "m"}
            made = sessions.observe(
                tx, source=source, provider_home=home, provider_id=f"seen in {workspace}", **times, **more
            )
            return sessions.generation(tx, made).session_id

    def asked(self, session):
        return request_of(self.database.connection, CONFIG, session)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CODEX_HOME", raising=False)
    made = Desk(tmp_path)
    yield made
    made.database.close()


def test_it_asks_for_the_whole_workspace_and_sends_nothing(desk):
    session = desk.session()
    desk.run(session)
    request = desk.asked(session)
    assert (request.attach, request.agent, request.session_id) == (True, "coder", session)
    assert (request.can_write, request.sandbox, request.skills, request.inject) == ((".",), "off", "none", ())


def test_what_cannot_be_opened_says_why(desk):
    with pytest.raises(NotFound):
        desk.asked(99)
    fresh, script, lost = desk.session(), desk.session(agent="script"), desk.session(known=False)
    with pytest.raises(Refused, match="no conversation that could be opened"):
        desk.asked(fresh)
    desk.run(lost)
    with pytest.raises(Refused, match="no conversation that could be opened"):
        desk.asked(lost)
    with pytest.raises(Refused, match="has no program that can be opened on it"):
        desk.asked(script)
    live = desk.run(fresh, state="running")
    with pytest.raises(Refused, match=f"run {live.id} is live"):
        desk.asked(fresh)


@pytest.mark.parametrize(("source", "folder"), [("claude_code", ".claude"), ("codex", ".codex")])
def test_an_observed_session_is_opened_where_its_client_keeps_it_and_nowhere_else(desk, source, folder):
    home = str(Path.home() / folder)
    request = desk.asked(desk.observed(source, home, str(desk.workspace)))
    assert (request.agent, request.workspace) == (source, str(desk.workspace))
    with pytest.raises(Refused, match="looks in"):
        desk.asked(desk.observed(source, "/elsewhere", str(desk.workspace)))
    with pytest.raises(Refused, match="not known in which folder"):
        desk.asked(desk.observed(source, home, None))


def test_an_observed_session_of_another_client_is_refused(desk):
    session = desk.observed("gemini", "/g", "/w")
    with pytest.raises(Refused, match="is of gemini"):
        agent_of(CONFIG, sessions.get(desk.database.connection, session))


@pytest.mark.parametrize(
    ("adapter", "service", "argv", "env"),
    [
        ("claude_code", Service(), ("claude", "--resume", "p"), {}),
        ("claude_code", Service("/c", "/h"), ("/c", "--resume", "p"), {"CLAUDE_CONFIG_DIR": "/h"}),
        (
            "codex",
            Service("/x", "/h"),
            ("/x", "resume", "-s", "workspace-write", "-a", "on-request", "p"),
            {"CODEX_HOME": "/h"},
        ),
    ],
)
def test_the_program_is_what_the_operator_would_type(adapter, service, argv, env):
    program = opened(adapter, service, "p")
    assert (program.argv, program.env) == (argv, env)


def test_no_other_program_is_opened():
    with pytest.raises(Refused):
        opened("openai", Service(), "p")


def test_of_the_console_it_gets_its_key_and_how_the_terminal_is_and_nothing_else(monkeypatch, tmp_path):
    key = tmp_path / "key"
    key.write_text("sk-1")
    key.chmod(0o600)
    agent = Agent(adapter="claude_code", key=f"file:{key}", env=("BASE",))
    environ = {"TERM": "xterm", "BASE": "b", "SECRET": "s", "QUARTERDECK_RUN": "9"}
    monkeypatch.setenv("SECRET", "s")
    found = given("claude_code", agent, Config(agent={"coder": agent}), environ)
    assert found == {"TERM": "xterm", "BASE": "b", "ANTHROPIC_API_KEY": "sk-1"}


def test_its_folder_is_ready_when_the_launch_file_is_there_and_holds_no_secret(desk, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-never")
    run = desk.run(desk.session(), state="starting")
    request = AdapterRequest(Prompt(()), str(desk.workspace), (), (), None, None, "p1", True, "/a", (".",), 1)
    assert prepare(desk.home, run, request, CONFIG) == "off"
    folder = desk.home.run_folder(run.id)
    job = json.loads((folder / LAUNCH).read_text())
    assert job["argv"] == ["claude", "--resume", "p1"]
    assert job["env"]["QUARTERDECK_RUN"] == str(run.id)
    assert "sk-never" not in "".join(path.read_text(errors="replace") for path in folder.iterdir() if path.is_file())
    assert {path.name for path in folder.iterdir()} == {LAUNCH, "before.snapshot", "usage.jsonl", "orders"}
