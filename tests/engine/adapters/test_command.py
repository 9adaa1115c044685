"""Does any command get the prompt as plain text, and is its answer taken as it is?"""

from typing import TYPE_CHECKING

import pytest

from engine.adapters.command import CommandAdapter
from engine.adapters.registry import ADAPTERS, adapter
from state.errors import NotFound, Refused

if TYPE_CHECKING:
    from conftest import Bench

COMMAND = CommandAdapter()


def test_the_prompt_is_plain_text_with_the_task_last(bench: "Bench") -> None:
    parts = [("task", "task", "Do it."), ("instructions", "A", "Be brief.\n"), ("file", "a/b.md", "text")]
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
