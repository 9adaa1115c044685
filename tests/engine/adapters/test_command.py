"""Does any command get the prompt as plain text, and is its answer taken as it is?"""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.adapters.command import CommandAdapter
from engine.adapters.registry import ADAPTERS, adapter
from engine.contract.launch import Prompt, RunUsage
from state.errors import NotFound, Refused

if TYPE_CHECKING:
    from conftest import Bench

COMMAND = CommandAdapter()


def test_the_prompt_is_plain_text_in_its_order(bench: "Bench") -> None:
    parts = [("instructions", "A", "Be brief.\n"), ("file", "a/b.md", "text"), ("task", "task", "Do it.")]
    result = bench.run(COMMAND, bench.request(*parts, argv=("cat",)))
    assert (result.ok, result.why, result.usage) == (True, "", None)
    assert result.text == "Be brief.\n\n--- a/b.md ---\ntext\n\nDo it.\n"


def test_a_failure_says_why(bench: "Bench") -> None:
    result = bench.run(COMMAND, bench.request(argv=("sh", "-c", "echo half; echo one >&2; echo two >&2; exit 4")))
    assert (result.ok, result.text, result.why) == (False, "half\n", "exited with code 4: two")
    assert bench.run(COMMAND, bench.request(argv=("sh", "-c", "kill -9 $$"))).why == "ended by a signal"


def test_output_that_is_not_utf8(bench: "Bench") -> None:
    assert bench.run(COMMAND, bench.request(argv=("printf", "a\\377b"))).text == "a\ufffdb"


def test_no_command_is_refused(bench: "Bench") -> None:
    with pytest.raises(Refused, match="no command"):
        COMMAND.launch(bench.request())


def test_the_nearest_adapter_is_named() -> None:
    assert adapter("command") is ADAPTERS["command"]
    with pytest.raises(NotFound) as caught:
        adapter("digset")
    assert "digest" in caught.value.line
    with pytest.raises(NotFound) as caught:
        adapter("zzz")
    assert "command, digest" in caught.value.line


def test_every_adapter_bears_its_name() -> None:
    assert all(one.name == name for name, one in ADAPTERS.items())


def test_what_the_conversation_holds_is_not_sent_again(bench: "Bench") -> None:
    request = bench.request(("instructions", "A", "Be brief.\n"), ("task", "task", "Do it."), argv=("cat",))
    first, second = request.prompt.parts
    again = Prompt((msgspec.structs.replace(first, sent=False), second))
    assert bench.run(COMMAND, msgspec.structs.replace(request, prompt=again)).text == "Do it.\n"


def test_it_is_told_what_it_may_know(bench: "Bench") -> None:
    argv = ("sh", "-c", 'echo "$QUARTERDECK_MODEL $QUARTERDECK_TOOLS $QUARTERDECK_SESSION ${QUARTERDECK_RESUMES-no}"')
    request = bench.request(argv=argv, model="small", tools=("read", "search"))
    assert bench.run(COMMAND, request).text == "small read,search conversation-1 no\n"
    assert bench.run(COMMAND, bench.request(argv=("sh", "-c", "echo ${QUARTERDECK_MODEL-none}"))).text == "none\n"


def test_the_names_in_its_argv_are_replaced_once(bench: "Bench") -> None:
    argv = ("echo", "--model={model}", "{tools}", "{session}", "{workspace}", "{0.__class__}", "{{x}}")
    request = bench.request(argv=argv, model="{tools}", tools=("read",))
    said = bench.run(COMMAND, request).text.split()
    assert said == ["--model={tools}", "read", "conversation-1", str(bench.workspace), "{0.__class__}", "{{x}}"]


def test_another_argv_goes_on_with_a_conversation(bench: "Bench") -> None:
    request = bench.request(argv=("echo", "new"), argv_resume=("echo", "again", "{session}"), resume=True)
    assert bench.run(COMMAND, request).text == "again conversation-1\n"
    assert bench.run(COMMAND, msgspec.structs.replace(request, resume=False)).text == "new\n"
    assert COMMAND.resumes(("echo",))
    assert not COMMAND.resumes(())


def test_what_it_tells_of_its_usage_is_added_up(tmp_path: Path) -> None:
    assert COMMAND.used(tmp_path) is None
    file = tmp_path / "usage.jsonl"
    file.write_text('{"input_tokens": 5, "output_tokens": 2, "cost_microusd": 3}\n{"cache_read_tokens": 7}\n')
    assert COMMAND.used(tmp_path) == RunUsage(5, 2, cache_read_tokens=7, cost_microusd=None)
    file.write_text('{"input_tokens": 5, "cost_microusd": 3}\n{"output_tokens": 1, "cost_microusd": 4}\n{"input_to')
    assert COMMAND.used(tmp_path) == RunUsage(5, 1, cost_microusd=7)


@pytest.mark.parametrize(
    "line", ["{", '{"input_tokens": -1}', '{"input_tokens": 1e99}', '{"input_tokens": "5"}', "[1]", "\udcff"]
)
def test_a_line_that_makes_no_sense_does_not_count(tmp_path: Path, line: str) -> None:
    file = tmp_path / "usage.jsonl"
    file.write_bytes(line.encode("utf-8", "surrogateescape") + b"\n")
    assert COMMAND.used(tmp_path) is None
