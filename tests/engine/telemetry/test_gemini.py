"""Each response in Gemini CLI's chat records is counted once, whichever way and how often it was written."""

import hashlib
import json
import os
from collections import Counter
from shutil import copytree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.usage import LogRoot
from engine.telemetry import gemini_document
from engine.telemetry.catalog import SOURCES, survey
from engine.telemetry.gemini_rows import tokens_of
from engine.telemetry.roots import log_roots
from engine.telemetry.source import best_of
from tests.traps.gemini import (
    CHATS,
    GROWING,
    NAME,
    SESSION,
    TRAPS,
    answer,
    document,
    header,
    lines,
    prompt,
    tokens,
    whole,
)


class Books:
    """What an engine would have after reading a HOME again and again, with its cursors kept."""

    def __init__(self, home):
        self.home = home
        self.cursors = {}
        self.responses = {}
        self.owners = {}
        self.sessions = {}
        self.refused = {}

    def read(self):
        """Everything new; returns the batches."""
        root = LogRoot("gemini", str(self.home / ".gemini"), "tmp")
        found = survey([root])
        batches = []
        for file in found.files:
            batches += SOURCES["gemini"].read(file, self.cursors.get(file.path), archive=found)
        for batch in batches:
            self.take(batch)
        return batches

    def take(self, batch):
        path = batch.cursor.path
        self.cursors[path] = batch.cursor
        before = Counter() if batch.restarted else self.refused.get(path, Counter())
        self.refused[path] = before + Counter(batch.refused)
        for part in batch.parts:
            self.sessions[part.session.provider_id] = part.session
            for response in part.responses:
                known = self.responses.get(response.key)
                self.responses[response.key] = best_of(known, response) if known else response
                self.owners[response.key] = part.session.provider_id

    def agree_with(self, expected):
        found = list(self.responses.values())
        assert len(found) == expected.responses
        for field in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"):
            assert (field, sum(getattr(one, field) for one in found)) == (field, getattr(expected, field))
        assert sum(self.refused.values(), Counter()) == Counter(expected.refused)
        if expected.sessions:
            output = Counter()
            for key, response in self.responses.items():
                output[self.owners[key]] += response.output_tokens
            assert output == expected.sessions


def trap_names(trap):
    return trap.name


@pytest.fixture
def books(tmp_path):
    return Books(tmp_path)


@pytest.mark.parametrize("trap", TRAPS, ids=trap_names)
def test_a_trap_read_in_one_go(trap, books):
    expected = trap.build(books.home)
    books.read()
    books.agree_with(expected)
    assert books.read() == []


@pytest.mark.parametrize("trap", TRAPS, ids=trap_names)
def test_a_trap_that_grows_while_it_is_read(trap, books, tmp_path_factory):
    made = tmp_path_factory.mktemp("made")
    expected = trap.build(made)
    copytree(made, books.home, dirs_exist_ok=True, ignore=lambda folder, names: [n for n in names if ".json" in n])
    for source in sorted(made.rglob("session-*.json*")) + sorted(made.rglob(f"{SESSION}/*.jsonl")):
        path, content = books.home / source.relative_to(made), source.read_bytes()
        for end in (0, *range(1, len(content), 97), len(content)):
            path.write_bytes(content[:end])
            os.utime(path, ns=(1, 1 + end))
            books.read()
    books.agree_with(expected)


@pytest.mark.parametrize("trap", TRAPS, ids=trap_names)
def test_a_trap_read_twice_from_the_start_is_counted_once(trap, books):
    expected = trap.build(books.home)
    books.read()
    books.cursors.clear()
    books.refused.clear()
    books.read()
    books.agree_with(expected)


def test_a_document_that_grows_is_counted_once_at_every_step(books):
    outputs = []
    for content in GROWING:
        whole(books.home, content)
        books.read()
        outputs.append(sum(one.output_tokens for one in books.responses.values()))
    assert outputs == [0, 0, 4, 30, 31]


def test_a_document_replaces_its_own_tallies(books):
    bad = answer(1, tokens(-5, 1))
    whole(books.home, document(bad, answer(2, tokens(1, 1))))
    (first,) = books.read()
    assert (first.restarted, first.lines, first.refused) == (False, 2, {"bad_count": 1})
    whole(books.home, document(bad, answer(2, tokens(1, 1)), answer(3, tokens(1, 1))))
    (second,) = books.read()
    assert (second.restarted, second.lines, second.refused) == (True, 3, {"bad_count": 1})


def test_a_torn_document_is_looked_at_again_before_it_is_refused(books):
    whole(books.home, GROWING[-1][:-30])
    (first,) = books.read()
    assert (first.refused, first.parts) == ({}, ())
    (second,) = books.read()
    assert second.refused == {"bad_json": 1}
    assert books.read() == []
    whole(books.home, GROWING[-1])
    books.read()
    assert len(books.responses) == 3
    assert sum(books.refused.values(), Counter()) == Counter()


def test_a_torn_document_asks_every_reader_to_look_again(books):
    whole(books.home, b"")
    (batch,) = books.read()
    (file,) = survey([LogRoot("gemini", str(books.home / ".gemini"), "tmp")]).files
    assert batch.cursor.mtime_ns != file.mtime_ns


def test_a_document_torn_after_it_was_whole_loses_nothing(books):
    whole(books.home, GROWING[-1])
    books.read()
    whole(books.home, GROWING[-1][:-30])
    books.read()
    assert len(books.responses) == 3


def test_json_of_another_shape_is_refused_at_once(books):
    whole(books.home, b"[1, 2]")
    (batch,) = books.read()
    assert batch.refused == {"bad_row": 1}


def test_a_document_beyond_the_limit_is_refused_once(books, monkeypatch):
    monkeypatch.setattr(gemini_document, "LARGEST_BYTES", len(GROWING[-1]) - 1)
    whole(books.home, GROWING[-1])
    (batch,) = books.read()
    assert (batch.refused, batch.parts) == ({"too_long": 1}, ())
    assert books.read() == []
    whole(books.home, GROWING[-1] + b" ")
    books.read()
    assert sum(books.refused.values(), Counter()) == {"too_long": 1}


def test_a_document_at_the_limit_is_read(books, monkeypatch):
    monkeypatch.setattr(gemini_document, "LARGEST_BYTES", len(GROWING[-1]))
    whole(books.home, GROWING[-1])
    books.read()
    assert len(books.responses) == 3


def test_a_long_document_comes_in_batches_and_only_the_last_ends_it(books, monkeypatch):
    monkeypatch.setattr(gemini_document, "BATCH_RESPONSES", 2)
    content = document(*(answer(n, tokens(1, n)) for n in range(1, 6)))
    whole(books.home, content)
    os.utime(books.home / CHATS / f"{NAME}.json", ns=(5, 5))
    batches = books.read()
    assert [len(batch.parts[0].responses) for batch in batches] == [2, 2, 1]
    assert [batch.cursor.mtime_ns for batch in batches] == [0, 0, 5]
    whole(books.home, content)
    assert [batch.restarted for batch in books.read()] == [True, False, False]


def test_a_response_tells_where_it_stands(books):
    whole(books.home, GROWING[-1])
    lines(books.home, header(), answer(4, tokens(1, 1)), {"$set": {"messages": [answer(5, tokens(1, 1))]}})
    books.read()
    by_id = {key.partition(":")[2]: one.offset for key, one in books.responses.items()}
    record = (books.home / CHATS / f"{NAME}.jsonl").read_bytes()
    for number in (1, 2, 3):
        end = GROWING[-1].index(b"}", GROWING[-1].index(f'"m{number}"'.encode()))
        assert GROWING[-1][by_id[f"m{number}"] : end].split()[:3] == [b"{", b'"id":', f'"m{number}",'.encode()]
    assert record[by_id["m4"] :].startswith(b'{"id":"m4"')
    assert record[by_id["m5"] :].startswith(b'{"$set"')


def test_what_a_session_says_about_itself(books):
    (books.home / ".gemini/tmp/shop").mkdir(parents=True)
    (books.home / ".gemini/tmp/shop/.project_root").write_text("/srv/shop\n")
    setup = prompt(0, "<session_context>\nThis is the Gemini CLI.")
    command, real = prompt(1, "/model"), prompt(2, " mend the till ")
    last = answer(4, tokens(100, 10, cached=50, thoughts=5, tool=7), model="gemini-3-flash")
    lines(books.home, header(), setup, command, real, answer(3, tokens(900, 9)), last)
    lines(books.home, {"$set": {"messages": [answer(3, tokens(900, 9))]}})
    books.read()
    (session,) = books.sessions.values()
    assert (session.provider_id, session.source) == (SESSION, "gemini")
    assert (session.title, session.workspace) == ("mend the till", "/srv/shop")
    assert (session.model, session.context_tokens, session.context_window) == ("gemini-3-flash", 122, None)
    assert session.last_active_ms - session.started_ms == 4 * 60_000 + 5_000
    assert {one.provider for one in books.responses.values()} == {"google"}
    assert [one.reasoning_tokens for one in books.responses.values()] == [0, 5]


def test_a_document_says_the_same_about_its_session_as_the_rows(books, tmp_path_factory):
    messages = [prompt(1, "mend the till"), answer(3, tokens(900, 9)), answer(4, tokens(100, 10))]
    lines(books.home, header(), *messages)
    books.read()
    other = Books(tmp_path_factory.mktemp("other"))
    whole(other.home, document(*messages))
    other.read()
    (mine,), (theirs,) = books.sessions.values(), other.sessions.values()
    named = ("provider_id", "title", "model", "context_tokens", "started_ms", "last_active_ms")
    assert [getattr(mine, name) for name in named] == [getattr(theirs, name) for name in named]
    assert list(books.responses) == list(other.responses)


def test_the_title_is_what_was_typed_not_what_was_added_to_it(books):
    row = {**prompt(1, "see @till.py"), "displayContent": "see @till.py"}
    row["content"] = [{"text": "--- Content from referenced files ---"}, {"text": "SECRET"}]
    result = {**prompt(0), "content": [{"functionResponse": {"id": "c"}}]}
    lines(books.home, header(), result, row)
    books.read()
    assert books.sessions[SESSION].title == "see @till.py"


def test_a_subagent_says_nothing_about_its_session(books):
    lines(books.home, header("c1"), prompt(1), answer(1, tokens(30, 3)), name=f"{SESSION}/c1.jsonl")
    books.read()
    (session,) = books.sessions.values()
    assert session.provider_id == SESSION
    assert (session.title, session.model, session.context_tokens, session.started_ms) == (None, None, None, None)
    assert session.last_active_ms > 0


def test_a_subagent_beside_its_session_stands_for_itself_without_a_context(books):
    lines(books.home, header(kind="subagent"), prompt(1), answer(1, tokens(30, 3)))
    books.read()
    (session,) = books.sessions.values()
    assert (session.provider_id, session.title, session.context_tokens) == (SESSION, None, None)
    assert session.started_ms is not None


def test_a_record_without_a_header_is_named_by_its_file(books):
    lines(books.home, answer(1, tokens(30, 3)), answer(2, tokens(30, 3)))
    books.read()
    assert list(books.sessions) == [NAME]
    assert list(books.responses) == [f"{NAME}:m1", f"{NAME}:m2"]
    assert books.sessions[NAME].started_ms == books.responses[f"{NAME}:m1"].at_ms


@pytest.mark.parametrize("folder", ["shop", hashlib.sha256(b"/srv/shop").hexdigest()])
def test_the_registry_tells_the_workspace(books, folder):
    lines(books.home, header(), name=f"../../{folder}/chats/{NAME}.jsonl")
    registry = {"projects": {"/srv/other": "other", "/srv/shop": "shop"}}
    (books.home / ".gemini/projects.json").write_text(json.dumps(registry))
    books.read()
    assert books.sessions[SESSION].workspace == "/srv/shop"


@pytest.mark.parametrize("registry", [b"", b"{", b'{"projects": 5}', b"[]", b'{"projects": {"/srv/other": "other"}}'])
def test_without_a_registry_the_workspace_is_unknown(books, registry):
    lines(books.home, header())
    (books.home / ".gemini/projects.json").write_bytes(registry)
    books.read()
    assert books.sessions[SESSION].workspace is None


def test_a_workspace_that_is_registered_later_is_found_with_the_next_news(books):
    lines(books.home, header())
    books.read()
    (books.home / ".gemini/projects.json").write_text('{"projects": {"/srv/shop": "shop"}}')
    lines(books.home, prompt(1))
    books.read()
    assert books.sessions[SESSION].workspace == "/srv/shop"


@pytest.mark.parametrize(
    ("used", "refused"),
    [
        ({"input": -1, "output": 2}, "bad_count"),
        ({"input": "many"}, "bad_row"),
        ([1], "bad_row"),
    ],
)
def test_a_bad_count_is_refused_and_spoils_no_other(books, used, refused):
    patch = {"$set": {"messages": [answer(1, used), answer(2, tokens(5, 5))]}}
    lines(books.home, header(), answer(1, used), patch)
    books.read()
    assert list(books.responses) == [f"{SESSION}:m2"]
    assert sum(books.refused.values(), Counter()) == {refused: 2}


def test_a_message_without_an_id_is_refused(books):
    lines(books.home, header(), {**answer(1, tokens(1, 1)), "id": 7}, answer(2, None, id=None))
    books.read()
    assert books.responses == {}
    assert sum(books.refused.values(), Counter()) == {"no_id": 1}


def test_fields_that_no_count_hangs_on_may_be_anything(books):
    odd = answer(1, tokens(1, 2), timestamp=5, model=["m"], content={"a": 1})
    lines(books.home, header(startTime=[], kind=4), {"id": 1, "type": "user", "content": 9}, odd)
    books.read()
    (response,) = books.responses.values()
    assert (response.output_tokens, response.model) == (2, None)


def test_repeated_reports_are_told_by_their_rule(books):
    rows = [answer(1, tokens(1, 1)), answer(1, tokens(1, 2)), {"$set": {"messages": [answer(1, tokens(1, 2))]}}]
    lines(books.home, header(), *rows)
    (batch,) = books.read()
    assert batch.dropped == {"stream": 2}


@pytest.mark.parametrize(
    "odd", [{"total": 99}, {"cached": 11}, {"audio": 3}], ids=["wrong total", "cached beyond input", "unknown key"]
)
def test_odd_counts_keep_their_evidence(books, odd):
    lines(books.home, header(), answer(1, {**tokens(10, 5), **odd}), answer(2, tokens(10, 5)))
    books.read()
    first, second = books.responses.values()
    assert json.loads(first.raw) == {**tokens(10, 5), **odd}
    assert second.raw is None


@given(*(st.integers(0, 2**30) for _ in range(5)))
def test_our_parts_are_the_total(input, output, cached, thoughts, tool):
    cached = min(cached, input)
    found = tokens_of(json.dumps(tokens(input, output, cached, thoughts, tool)).encode())
    assert found.context() == tokens(input, output, cached, thoughts, tool)["total"]
    assert found.raw is None


@pytest.mark.parametrize(
    ("path", "is_log"),
    [
        (f"shop/chats/{NAME}.json", True),
        (f"shop/chats/{NAME}.jsonl", True),
        (f"shop/chats/{SESSION}/c1.jsonl", True),
        ("shop/chats/notes.jsonl", False),
        (f"shop/chats/{NAME}.json.tmp", False),
        (f"shop/{NAME}.json", False),
        ("shop/logs.json", False),
        ("shop/tool-outputs/session-1/a.json", False),
        ("logs.json", False),
        (f"shop/chats/{SESSION}/deep/c1.jsonl", False),
    ],
)
def test_which_files_are_records(path, is_log):
    assert SOURCES["gemini"].is_log(tuple(path.split("/"))) is is_log


@pytest.mark.parametrize(
    ("environ", "home"),
    [
        ({"HOME": "/h"}, "/h/.gemini"),
        ({"HOME": "/h", "GEMINI_CLI_HOME": "/g"}, "/g/.gemini"),
        ({"HOME": "/h", "GEMINI_CLI_HOME": "~/g"}, "/h/g/.gemini"),
    ],
)
def test_where_the_records_are(environ, home):
    assert [root for root in log_roots(environ) if root.source == "gemini"] == [LogRoot("gemini", home, "tmp")]
