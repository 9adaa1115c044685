"""Does every adapter get only what it takes, and does every model's name lead to an adapter?"""

from pathlib import Path

import pytest

from engine.config.load import parse
from engine.config.rules import no_model
from engine.runtime.settings import CHECKS
from state.errors import ConfigError


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        parse(text, Path("q.toml"), CHECKS)
    return raised.value.line


@pytest.mark.parametrize(
    ("text", "where", "takers"),
    [
        ('[adapter.claude_code]\nbase_url = "http://a"', "adapter.claude_code.base_url", "anthropic, openai, ollama"),
        ('[adapter.openai]\nprogram = "/x"', "adapter.openai.program", "claude_code, codex"),
        ('[adapter.command]\nkey = "env:A"', "adapter.command.key", "claude_code, codex, anthropic, openai, ollama"),
        ('[adapter.ollama]\napi = "chat"', "adapter.ollama.api", "openai"),
        ('[adapter.codex]\nidle = "5s"', "adapter.codex.idle", "anthropic, openai, ollama"),
    ],
)
def test_what_an_adapter_does_not_take_is_refused_as_of_an_agent(text, where, takers):
    said = refusal(text)
    assert said.startswith(f"q.toml:2: {where}: the {where.split('.')[1]} adapter takes none")
    assert f"it is for {takers}" in said


def test_what_an_adapter_takes_is_let_in():
    text = """[adapter.openai]
base_url = "http://a"
key = "env:A"
api = "chat"
idle = "5s"
[adapter.codex]
program = "/x"
key = "env:B"
"""
    assert parse(text, Path("q.toml"), CHECKS).adapter["openai"].api == "chat"


AGENT = '[agent.x]\nadapter = "{}"\n'


@pytest.mark.parametrize(
    ("text", "where", "near"),
    [
        (AGENT.format("claude_code") + 'fallback = ["nosuch/x"]', "q.toml:3: agent.x.fallback", "known: digest"),
        (AGENT.format("openai") + 'fallback = ["antropic/x"]', "q.toml:3: agent.x.fallback", "'anthropic'"),
        (AGENT.format("codex") + 'model = "claude-code/haiku"', "q.toml:3: agent.x.model", "'claude_code'"),
        (AGENT.format("codex") + 'model = "claude_code/"', "q.toml:3: agent.x.model", "claude_code/MODEL"),
        (AGENT.format("codex") + 'model = " "', "q.toml:3: agent.x.model", "ADAPTER/MODEL"),
        ('[task_type.chat]\nmodel = "openia/gpt-5"', "q.toml:2: task_type.chat.model", "'openai'"),
        ('[job.a]\nevery = "1m"\nmodel = "nosuch/x"', "q.toml:3: job.a.model", "known: digest"),
    ],
)
def test_a_model_that_asks_for_no_adapter_there_is_is_refused_where_it_stands(text, where, near):
    said = refusal(text)
    assert said.startswith(where)
    assert near in said


@pytest.mark.parametrize(
    ("model", "speaks"),
    [
        ("meta-llama/llama-4", "openai"),
        ("hf.co/who/model", "ollama"),
        ("codellama/base", "ollama"),
        ("openai-community/gpt2", "openai"),
        ("qwen/coder", "codex"),
        ("any/thing", None),
        ("openia/their-own", "command"),
        ("antropic/their-own", "acp"),
        ("arn:aws:bedrock:eu:1:profile/abc", "claude_code"),
        ("claude_code", "digest"),
        ("openai/gpt-5", "digest"),
    ],
)
def test_names_with_slashes_that_may_be_right_are_let_in(model, speaks):
    assert no_model(model, speaks) == ("", "")
