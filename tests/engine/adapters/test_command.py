"""Does any command get the prompt as plain text, and is its answer taken as it is?"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.command import LONGEST_LINE, MOST_BYTES, MOST_TOLD, CommandAdapter, unread_bytes
from engine.adapters.registry import ADAPTERS, adapter
from engine.contract.launch import Prompt, RunUsage, Service, Wanted
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
    "line",
    [
        "{",
        '{"input_tokens": -1}',
        '{"input_tokens": 1e99}',
        '{"input_tokens": "5"}',
        '{"input_tokens": 1000000001}',
        '{"output_tokens": 18446744073709551616}',
        '{"cache_read_tokens": 1000000001}',
        '{"cache_write_tokens": 1000000001}',
        '{"input_tokens": 5, "cost_microusd": 10000000000000000000}',
        '{"cost_microusd": 1000000000001}',
        '{"cost_microusd": -1}',
        '{"x": ' + "[" * 60_000,
        '{"input_tokens": 5, "x": "' + "y" * LONGEST_LINE + '"}',
        "[1]",
        "\udcff",
    ],
)
def test_a_line_that_makes_no_sense_does_not_count(tmp_path: Path, line: str) -> None:
    file = tmp_path / "usage.jsonl"
    file.write_bytes(line.encode("utf-8", "surrogateescape") + b"\n")
    assert COMMAND.used(tmp_path) is None


def line(tokens: int, **said: int) -> bytes:
    return msgspec.json.encode({"input_tokens": tokens, **said}) + b"\n"


def test_the_largest_line_that_makes_sense_counts(tmp_path: Path) -> None:
    (tmp_path / "usage.jsonl").write_bytes(line(10**9, cost_microusd=10**12))
    assert COMMAND.used(tmp_path) == RunUsage(10**9, 0, cost_microusd=10**12)


def test_a_sum_stays_within_what_can_be_stored(tmp_path: Path) -> None:
    (tmp_path / "usage.jsonl").write_bytes(line(10**9, cost_microusd=10**12) * 1002)
    assert COMMAND.used(tmp_path) == RunUsage(1002 * 10**9, 0, cost_microusd=MOST_TOLD)


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_only_a_regular_file_is_read(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "usage.jsonl"
    (tmp_path / "elsewhere").write_bytes(line(5))
    {"fifo": lambda: os.mkfifo(file), "link": lambda: file.symlink_to("elsewhere"), "folder": file.mkdir}[kind]()
    assert COMMAND.used(tmp_path) is None
    assert unread_bytes(tmp_path) is None


def read_by(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each read has brought, from now on."""
    got: list[int] = []
    real = os.pread

    def pread(descriptor: int, count: int, offset: int) -> bytes:
        found = real(descriptor, count, offset)
        got.append(len(found))
        return found

    monkeypatch.setattr(os, "pread", pread)
    return got


def test_it_is_read_on_from_where_it_was_read_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, adapter = tmp_path / "usage.jsonl", CommandAdapter()
    file.write_bytes(line(5) * 50_000)
    assert adapter.used(tmp_path) == RunUsage(250_000, 0)
    got = read_by(monkeypatch)
    with file.open("ab") as more:
        more.write(line(7))
    assert adapter.used(tmp_path) == RunUsage(250_007, 0)
    assert sum(got) < 1000


def test_a_line_that_grows_counts_once(tmp_path: Path) -> None:
    file, adapter = tmp_path / "usage.jsonl", CommandAdapter()
    for whole in (line(5)[:9], line(5)[:-1], line(5), line(5) + line(7)[:-1], line(5) + line(7)):
        file.write_bytes(whole)
        expected = sum(int(text[16:-1]) for text in whole.split() if text.endswith(b"}"))
        assert adapter.used(tmp_path) == (RunUsage(expected, 0) if expected else None)


@pytest.mark.parametrize("after", [line(9), line(9) * 3, line(9) * 30, b""])
def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path, after: bytes) -> None:
    file, adapter = tmp_path / "usage.jsonl", CommandAdapter()
    file.write_bytes(line(5) * 3)
    assert adapter.used(tmp_path) == RunUsage(15, 0)
    file.write_bytes(after)
    assert adapter.used(tmp_path) == (RunUsage(9 * after.count(b"\n"), 0) if after else None)


def test_a_line_that_is_too_long_is_passed_over_and_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, adapter = tmp_path / "usage.jsonl", CommandAdapter()
    file.write_bytes(line(5) + b'{"input_tokens": 7, "x": "' + b"y" * 1_000_000)
    assert adapter.used(tmp_path) == RunUsage(5, 0)
    got = read_by(monkeypatch)
    with file.open("ab") as more:
        more.write(line(7)[:-1])
    assert adapter.used(tmp_path) == RunUsage(5, 0), "that is still the same line"
    with file.open("ab") as more:
        more.write(b'"}\n' + line(11))
    assert adapter.used(tmp_path) == RunUsage(16, 0)
    assert sum(got) < 1000


def test_what_stands_after_the_most_that_is_read_does_not_count_and_is_known(tmp_path: Path) -> None:
    file = tmp_path / "usage.jsonl"
    file.write_bytes(line(5))
    assert unread_bytes(tmp_path) == 0
    os.truncate(file, MOST_BYTES - 3)  # one endless line of nothing, that takes no place on the disk
    with file.open("ab") as more:
        more.write(b"\n" + line(7))
    assert COMMAND.used(tmp_path) == RunUsage(5, 0)
    assert unread_bytes(tmp_path) == 1 + len(line(7)) - 3


def test_without_a_usage_file_nothing_is_unread(tmp_path: Path) -> None:
    assert unread_bytes(tmp_path) == 0
    assert unread_bytes(tmp_path / "gone") is None


def test_only_so_many_files_are_remembered(tmp_path: Path) -> None:
    adapter = CommandAdapter()
    for number in range(600):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "usage.jsonl").write_bytes(line(number + 1))
        assert adapter.used(folder) == RunUsage(number + 1, 0)
    assert len(adapter._readings) < 300
    assert adapter.used(tmp_path / "0") == RunUsage(1, 0)


PIECES = st.one_of(
    st.integers(0, 9).map(line),
    st.sampled_from([b"\n", b"rubbish\n", b'{"input_tokens": 3}', b"{", b"x" * (LONGEST_LINE - 1), b"z" * 70_000]),
)


@given(st.lists(st.lists(PIECES, max_size=4).map(b"".join), max_size=6))
def test_read_in_parts_or_at_once_it_tells_the_same(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    folder, adapter = tmp_path_factory.mktemp("run"), CommandAdapter()
    for part in parts:
        with (folder / "usage.jsonl").open("ab") as file:
            file.write(part)
        adapter.used(folder)
    assert adapter.used(folder) == CommandAdapter().used(folder)


def test_a_folder_and_a_file_that_may_not_be_executed_are_no_programs(bench: "Bench"):
    (bench.workspace / "plain").write_text("x")
    (bench.workspace / "tools").mkdir()

    def lacks(program: str) -> tuple[str, str]:
        service = Service()
        argv = (program,)
        return COMMAND.lacks(Wanted(str(bench.workspace), service, model=None, tools=None, keep=None, argv=argv))

    plain = bench.workspace / "plain"
    assert lacks("./tools") == ("'./tools' cannot be run: it is a folder", "name a program")
    assert lacks(str(plain)) == (f"'{plain}' may not be executed", f"chmod +x {plain}")
    assert lacks("tools")[0] == "there is no program 'tools' on the engine's PATH"
    plain.chmod(0o755)
    assert lacks("./plain") == ("", "")
