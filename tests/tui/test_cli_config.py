"""What is an operator told of a value that cannot stand in `quarterdeck.toml`, and what does a first one show?"""

import tomllib

import pytest

from engine.config.load import parse
from engine.config.starter import Machine, starter
from state.errors import ConfigError
from tui.cli.dispatch import capture

AGENT = '[agent.a]\nadapter = "command"\n'


@pytest.mark.parametrize(
    ("text", "where", "said", "fix"),
    [
        (AGENT + 'permissions = "aks"', "3: agent.a.permissions", "'aks' is none of ask, allow, deny", "'ask'?"),
        ('[agent.a]\nadapter = "claude"', "2: agent.a.adapter", "'claude' is none of digest,", "'claude_code'?"),
        (AGENT + 'keep = ["systm"]', "3: agent.a.keep.0", "'systm' is none of settings,", "'system'?"),
        ('[template.t.params.p]\ntype = "txt"', "2: template.t.params.p.type", "'txt' is none of text,", "'text'?"),
        (AGENT + "model = 3", "3: agent.a.model", "it is a whole number, where a text belongs", 'a text, like "this"'),
        (AGENT + 'argv = "ls"', "3: agent.a.argv", "it is a text, where a list belongs", 'a list, like ["this"]'),
        ("[limits]\nallow_unpriced = 1", "2: limits.allow_unpriced", "where true or false belongs", "true or false"),
        ("[limits]\nfile_tokens = 1.5", "2: limits.file_tokens", "it is a number, where a whole number", "whole"),
        (AGENT + "[agent.a.secrets]\nX = 3", "4: agent.a.secrets.X", "where a text belongs", "a text"),
        ("[agent.a]\nmodel = 'x'", "1: agent.a", "it needs adapter", "add adapter"),
        ("agent = 3", "1: agent", "it is a whole number, where a table belongs", "a table"),
    ],
)
def test_a_value_that_cannot_stand_there_is_told_in_words(tmp_path, text, where, said, fix):
    path = tmp_path / "q.toml"
    with pytest.raises(ConfigError) as raised:
        parse(text, path)
    assert f"{path}:{where}: " in str(raised.value)
    assert said in str(raised.value)
    assert fix in raised.value.fix


def test_a_first_configuration_shows_a_client_that_is_good_once_it_is_uncommented(tmp_path):
    text = starter(Machine({}, (), (), "/w", "UTC"))
    lines = text.splitlines()
    first = lines.index("# [agent.coder]")
    block = "\n".join(line.removeprefix("# ") for line in lines[first : lines.index("#", first)])
    assert tomllib.loads(block)["agent"]["coder"].keys() >= {"permissions", "sandbox", "fallback", "keep"}
    coder = parse(block, tmp_path / "q.toml").agent["coder"]
    assert (coder.adapter, coder.permissions, coder.keep) == ("claude_code", "ask", ("system", "instructions"))


def test_a_prompt_is_shown_with_the_model_the_files_and_the_tools_that_a_run_would_have(tmp_path, world):
    (tmp_path / "a.md").write_text("mend the pump")
    words = ["context", "--workspace", str(tmp_path), "--model", "claude_code/haiku", "--inject", "a.md"]
    code, out, err = capture([*words, "--tools", "Read"], world.home)
    assert err == ""
    assert "a.md" in out
    for value in ("claude_code", "haiku", "Read"):
        assert value in out, code
