"""Where an adapter finds what it speaks to, and what can be told of a key before it is looked up."""

import os

import pytest

from engine.config.model import AdapterDefaults, Agent, Config
from engine.runtime.services import handed, key_of, look_up, missing, references_of, service_of, unresolved
from state.errors import Refused


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_text("value-of-it\n")
    path.chmod(0o600)
    return path


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("HERE", "from the environment")
    monkeypatch.delenv("GONE", raising=False)


def test_a_reference_is_looked_up_where_it_leads(key):
    assert look_up("env:HERE") == "from the environment"
    assert look_up(f"file:{key}") == "value-of-it"
    assert look_up("cmd:echo '  it  '") == "it"


BAD = [
    ("env:GONE", "GONE is not set in the engine's environment"),
    ("file:/no/such/file", "cannot read the key in /no/such/file: No such file or directory"),
    ("file:/tmp", "/tmp is no file"),
    ("value", "is no reference"),
]


@pytest.mark.parametrize(("reference", "why"), BAD)
def test_what_is_missing_is_said_before_and_when_it_is_looked_up(reference, why):
    said, fix = missing(reference)
    assert why in said
    assert fix
    with pytest.raises(Refused) as refused:
        look_up(reference)
    assert str(refused.value) == said


def test_a_key_that_others_can_read_is_refused_with_what_to_do(key):
    assert missing(f"file:{key}") == ("", "")
    key.chmod(0o640)
    assert missing(f"file:{key}") == (f"{key} can be read by others", f"chmod 600 {key}")
    with pytest.raises(Refused, match="can be read by others"):
        look_up(f"file:{key}")


def test_a_command_is_not_asked_beforehand(tmp_path):
    assert missing(f"cmd:touch {tmp_path}/asked; exit 1") == ("", "")
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("command", ["exit 3", "true", "echo canary >&2; exit 1"])
def test_a_command_that_gives_nothing_is_an_error_that_shows_nothing(command):
    with pytest.raises(Refused) as refused:
        look_up(f"cmd:{command}")
    assert "canary" not in str(refused.value)


def test_a_key_that_is_no_text_is_not_shown(key):
    key.write_bytes(b"canary\xff")
    with pytest.raises(Refused) as refused:
        look_up(f"file:{key}")
    assert "canary" not in str(refused.value)
    key.write_bytes(b"\n")
    with pytest.raises(Refused, match="there is no key"):
        look_up(f"file:{key}")


def test_the_check_names_the_variable_that_would_be_missing():
    agent = Agent(adapter="command", secrets={"ONE": "env:HERE", "TWO": "env:GONE"})
    why, fix = unresolved("command", agent, Config())
    assert why == "TWO (env: in its agent): GONE is not set in the engine's environment"
    assert fix
    config = Config(agent={"mine": agent})
    assert unresolved("command", agent, config)[0].startswith("TWO (env: in [agent.mine]): ")
    assert unresolved("command", Agent(adapter="command"), Config()) == ("", "")


def test_a_run_is_handed_its_secrets_and_what_is_hidden_of_its_environment(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "a-token")
    monkeypatch.setenv("MY_EDITOR", "vi")
    agent = Agent(adapter="command", env=("MY_TOKEN", "MY_EDITOR", "GONE"), secrets={"ONE": "env:HERE"})
    found = handed("command", agent, Config())
    assert found.values == {"ONE": "from the environment"}
    assert set(found.hidden) == {"from the environment", "a-token"}


def test_an_agents_own_key_comes_before_its_adapters_and_only_where_one_is_taken():
    config = Config(adapter={"command": AdapterDefaults(key="env:HERE")})
    agent = Agent(adapter="command", key="env:GONE")
    assert key_of("command", agent, config) == "env:GONE"
    assert key_of("command", Agent(adapter="command"), config) == "env:HERE"
    assert references_of("command", agent, config) == {}


def test_what_an_agent_says_of_its_server_holds_for_its_own_adapter_only():
    agent = Agent(adapter="anthropic", base_url="http://dead", key="env:HERE", home="/h")
    config = Config(adapter={"openai": AdapterDefaults(base_url="http://other", key="file:/k")}, agent={"x": agent})
    assert service_of("anthropic", agent, config).base_url == "http://dead"
    other, local = service_of("openai", agent, config), service_of("ollama", agent, config)
    assert (other.base_url, other.home, key_of("openai", agent, config)) == ("http://other", None, "file:/k")
    assert (local.base_url, local.home, local.key_known) == (None, None, False)
    assert references_of("anthropic", agent, config) == {"ANTHROPIC_API_KEY": "env:HERE"}
    assert handed("ollama", agent, config).values == {}


def test_a_key_that_is_not_set_is_named_as_it_is_declared():
    agent = Agent(adapter="anthropic", key="env:GONE")
    said = "its key is env:GONE, which is not set in the engine's environment"
    assert unresolved("anthropic", agent, Config())[0] == said
    with pytest.raises(Refused, match=said):
        handed("anthropic", agent, Config())


@pytest.mark.parametrize(
    ("agent", "where"),
    [
        (Agent(adapter="anthropic", key="cmd:echo canary; exit 3"), "ANTHROPIC_API_KEY (cmd: in [agent.x])"),
        (Agent(adapter="anthropic", secrets={"ONE": "cmd:echo canary; exit 3"}), "ONE (cmd: in [agent.x])"),
        (Agent(adapter="openai"), "OPENAI_API_KEY (cmd: in [adapter.openai])"),
        (Agent(adapter="digest"), "OPENAI_API_KEY (cmd: in [adapter.openai])"),
    ],
)
def test_a_command_that_fails_is_named_by_its_variable_and_its_table_never_by_its_output(agent, where):
    config = Config(adapter={"openai": AdapterDefaults(key="cmd:echo canary; exit 3")}, agent={"x": agent})
    with pytest.raises(Refused) as refused:
        handed("openai" if agent.adapter == "digest" else agent.adapter, agent, config)
    assert str(refused.value) == f"{where}: the command exited with code 3"
    assert "canary" not in repr(refused.value) + refused.value.fix


def test_what_is_declared_reaches_the_adapter():
    config = Config(adapter={"command": AdapterDefaults(program="/x", base_url="http://a", idle="5s")})
    service = service_of("command", Agent(adapter="command", home="~/y", base_url="http://b"), config)
    assert (service.program, service.base_url, service.idle_s) == ("/x", "http://b", 5.0)
    assert service.home == os.path.expanduser("~/y")  # noqa: PTH111
    assert not service.key_known
