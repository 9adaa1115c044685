"""What an edit of the configuration is called, and that taking it back gives the very bytes that were there."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.write import CHANGED_SINCE, left_by, put_back, sha256_of, why_not_back, write
from engine.runtime.edits import act_of
from state.errors import ConfigError

BEFORE = {"job": {"a": {}}, "budget": {"day": {}}, "agent": {"x": {}, "y": {}}}


@pytest.mark.parametrize(
    ("entries", "act"),
    [
        ([("job", "a", {"enabled": False})], "pause a"),
        ([("job", "a", {"enabled": None})], "resume a"),
        ([("job", "b", {"enabled": False})], "create job b"),
        ([("job", "a", {"enabled": False, "every": "5m"})], "edit job a"),
        ([("job", "a", None)], "delete job a"),
        ([("budget", "day", {"tokens": 5})], "edit budget day"),
        ([("skill_set", "review", {"skills": ["a"]})], "create skill set review"),
        ([("agent", "x", {"skills": "s"}), ("agent", "y", {"skills": "s"})], "edit agent x and 1 more"),
    ],
)
def test_an_edit_is_called_what_the_operator_did(entries, act):
    assert " ".join(act_of(entries, BEFORE)) == act


@given(
    comment=st.text("abc# ö\t", max_size=20),
    ends=st.sampled_from(["\n", "\r\n"]),
    names=st.lists(st.sampled_from("abcd"), min_size=1, max_size=4),
)
def test_an_edit_taken_back_leaves_every_byte_as_it_was(tmp_path_factory, comment, ends, names):
    path = tmp_path_factory.mktemp("home") / "q.toml"
    text = f'# {comment}{ends}[job.a]  # kept{ends}every = "5m"{ends}'
    path.write_bytes(text.encode())
    written = write(path, [("job", name, {"every": "7m"}) for name in names])
    assert path.read_bytes() != text.encode()
    for _ in range(2):
        put_back(path, written.before, sha256_of(written.after))
        assert path.read_bytes() == text.encode()


def test_a_file_that_was_not_there_is_not_there_again(tmp_path):
    path = tmp_path / "q.toml"
    written = write(path, [("job", "a", {"every": "7m"})])
    put_back(path, written.before, sha256_of(written.after))
    assert not path.exists()


def test_what_others_have_written_since_stays(tmp_path):
    path = tmp_path / "q.toml"
    path.write_text("# mine\n")
    written = write(path, [("job", "a", {"every": "7m"})])
    path.write_text(path.read_text() + "# by hand\n")
    assert why_not_back(path, written.before, sha256_of(written.after)) == CHANGED_SINCE
    with pytest.raises(ConfigError, match=CHANGED_SINCE):
        put_back(path, written.before, sha256_of(written.after))
    assert path.read_text().endswith("# by hand\n")


def test_several_edits_are_made_together_or_not_at_all(tmp_path):
    path = tmp_path / "q.toml"
    path.write_text("# mine\n")
    with pytest.raises(ConfigError):
        write(path, [("job", "a", {"every": "7m"}), ("job", "b", {"every": "never"}), ("nonsense", "c", {"d": 1})])
    assert path.read_text() == "# mine\n"


FILE = """\
# mine
timezone = "UTC"

[job.a]  # first
every = "5m"
# a note

# about b
[job.b]
every = "6m"

[budget.day]
tokens = 5
window = "day"
"""
ACTS = st.sampled_from(
    [
        [("job", "a", {"enabled": False})],
        [("job", "a", {"every": "9m", "timeout": "1m"})],
        [("job", "a", None)],
        [("job", "b", None)],
        [("job", "new", {"every": "7m"})],
        [("budget", "day", None), ("job", "b", {"every": "8m"})],
        [("budget", "day", {"tokens": 7, "action": "refuse"})],
    ]
)
BY_HAND = st.lists(
    st.sampled_from(
        [
            "# by hand",
            "#   so  ",
            "",
            '[job.mine]\nevery = "3m" # mine',
            "[budget.mine]\nwindow = 'day'\ntokens = 1",
            "# ä",
        ]
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


def taken_back(path, entries, written):
    put_back(path, written.before, sha256_of(written.after), left_by(entries, written.after))
    return path.read_text()


def said(text):
    return [line for line in text.split("\n") if line.strip()]


@given(entries=ACTS, by_hand=BY_HAND, place=st.integers(0, 6))
def test_taking_back_after_an_edit_elsewhere_keeps_every_byte_of_that(tmp_path_factory, entries, by_hand, place):
    path = tmp_path_factory.mktemp("home") / "q.toml"
    path.write_text(FILE)
    written = write(path, entries)
    parts, mine = path.read_text().split("\n\n"), "\n".join(by_hand).strip("\n") or "# mine too"
    at = min(place + 1, len(parts))
    path.write_text("\n\n".join([*parts[:at], mine, *parts[at:]]))
    text = taken_back(path, entries, written)
    assert mine in text
    assert tomllib.loads(text) == tomllib.loads(FILE) | {
        key: tomllib.loads(FILE).get(key, {}) | value for key, value in tomllib.loads(mine).items()
    }
    assert sorted(said(text)) == sorted([*said(FILE), *said(mine)])
    assert taken_back(path, entries, written) == text


@given(entries=ACTS, word=st.sampled_from(["# seen", "timeout = '2m'", "warn_at = 0.5"]))
def test_an_entry_that_was_edited_since_is_not_taken_back(tmp_path_factory, entries, word):
    path = tmp_path_factory.mktemp("home") / "q.toml"
    path.write_text(FILE)
    written = write(path, entries)
    section, name, _ = entries[-1]
    head = f"[{section}.{name}]"
    text = written.after
    text = text.replace(head, f"{head}\n{word}", 1) if head in text else f"{text}\n{head}\nzone = 'UTC'\n"
    path.write_text(text)
    left = left_by(entries, written.after)
    assert why_not_back(path, written.before, sha256_of(written.after), left)
    with pytest.raises(ConfigError):
        taken_back(path, entries, written)
    assert path.read_text() == text


def test_the_entry_that_differs_is_named_and_what_would_not_load_is_not_written(tmp_path):
    path = tmp_path / "q.toml"
    path.write_text(FILE)
    entries = [("agent", "x", {"adapter": "digest"})]
    written = write(path, entries)
    left = left_by(entries, written.after)
    path.write_text(written.after.replace("[agent.x]", "[agent.x]\nskills = 'none'"))
    why = why_not_back(path, written.before, sha256_of(written.after), left)
    assert why == "[agent.x] has been edited since"
    path.write_text(written.after + '\n[job.c]\nevery = "5m"\nagent = "x"\n')
    assert "there is no agent" in why_not_back(path, written.before, sha256_of(written.after), left)
    path.write_text(written.after + "\n[job.c\n")
    assert "not TOML" in why_not_back(path, written.before, sha256_of(written.after), left)


def test_an_entry_that_came_back_in_another_form_is_named(tmp_path):
    path = tmp_path / "q.toml"
    path.write_text('[job.a]\nevery = "5m"\n')
    written = write(path, [("job", "a", None)])
    path.write_text('job = {a = {every = "3m"}}\n')
    why = why_not_back(path, written.before, sha256_of(written.after), left_by([("job", "a", None)], written.after))
    assert why == "[job.a] has been edited since"


def test_entries_written_in_one_line_are_only_taken_back_to_the_byte(tmp_path):
    path = tmp_path / "q.toml"
    path.write_text('job = {a = {every = "5m"}}\n')
    entries = [("job", "a", {"every": "7m"})]
    written = write(path, entries)
    path.write_text(path.read_text() + "# by hand\n")
    assert why_not_back(path, written.before, sha256_of(written.after), left_by(entries, written.after))
