"""The last act of the operator is taken back, one after the other; never over what somebody else has done since."""

import contextlib
import time

import pytest

CONFIG = """# mine, with   odd   spacing
[agent.ops]
adapter = "digest"
[job.morning]
every = "10m"   # not too often
enabled = false
"""
SKILL = "---\nname: deploy\ndescription: Deploy the site\n---\n"
ACTS = {
    "resume morning": ("cron", "resume", "morning"),
    "create budget day": ("budget", "set", "day", "--window", "day", "--tokens", "60000"),
    "edit budget day": ("budget", "set", "day", "--tokens", "90000"),
    "create job evening": ("cron", "add", "--name", "evening", "--every", "1h"),
    "create skill set ops and 1 more": ("skills", "set", "ops", "deploy", "--agent", "ops"),
    "delete job evening": ("cron", "remove", "evening"),
}


@pytest.fixture
def acted(desk):
    """Everything done, one after the other; with the text before each."""
    desk.configure(CONFIG)
    texts = []
    for words in ACTS.values():
        texts.append(desk.config_file.read_bytes())
        desk.json(*words)
    return texts


def listed(desk):
    return [(act["act"], act["why_not"]) for act in desk.json("undo", "list")["acts"]]


def refused(desk, *words):
    code, out, err = desk.run("undo", *words)
    assert (code, out) == (1, "")
    return err


def test_every_edit_is_taken_back_to_the_byte_the_newest_first(desk, acted):
    desk.run("sessions")
    desk.json("undo", "--skip", code=0)
    assert desk.config_file.read_bytes() == acted[-1]
    for said, before in list(zip(ACTS, acted, strict=True))[-2::-1]:
        assert desk.json("undo") == {"undone": said, "passed": []}
        assert desk.config_file.read_bytes() == before
    assert desk.config_file.read_text() == CONFIG
    assert "nothing to undo" in refused(desk)


def test_the_first_configuration_is_taken_back_unless_it_has_been_changed(desk):
    desk.config_file.unlink(missing_ok=True)
    for change in (False, True):
        assert desk.run("init")[0] == 0
        if change:
            desk.config_file.write_text(desk.config_file.read_text() + "# mine now")
            assert "edited since" in refused(desk)
        else:
            assert desk.json("undo")["undone"] == "create the configuration"
        assert desk.config_file.exists() == change


def test_an_edit_that_no_engine_has_seen_yet_is_listed_too(desk):
    desk.configure("")
    desk.json("budget", "set", "day", "--window", "day", "--tokens", "60000")
    told = desk.json("undo", "list")
    assert ([one["act"] for one in told["unrecorded"]], told["acts"]) == (["create budget day"], [])
    assert "once an engine runs" in desk.run("undo", "list")[1]
    assert desk.json("undo")["undone"] == "create budget day"
    assert desk.json("undo", "list") == {"acts": [], "unrecorded": []}


def test_what_was_done_is_listed_with_where_it_was_done(desk, acted):
    desk.json("cron", "pause", "morning")
    acts = desk.json("undo", "list")["acts"]
    assert [act["act"] for act in acts[:2]] == ["pause morning", "delete job evening"]
    assert acts[0]["by"].startswith(("process ", "pts/", "tty"))
    assert acts[0]["why_not"] is None


def test_nothing_is_taken_back_over_an_edit_by_hand_and_what_was_before_only_when_told(desk, acted):
    desk.json("session", "reset", str(used_session(desk)))
    desk.json("cron", "pause", "morning")
    desk.config_file.write_text(desk.config_file.read_text().replace('"10m"', '"11m"'))
    by_hand = desk.config_file.read_text()
    assert "pause morning cannot be taken back: [job.morning] has been edited since" in refused(desk)
    assert listed(desk)[:2] == [("pause morning", "[job.morning] has been edited since"), ("reset session 1", None)]
    assert desk.json("undo", "--skip") == {"undone": "reset session 1", "passed": ["pause morning"]}
    assert desk.json("undo", "--skip")["undone"] == "delete job evening"  # another entry
    assert desk.json("undo", "--skip")["undone"] == "create skill set ops and 1 more"
    assert desk.config_file.read_text() != by_hand
    assert 'every = "11m"   # not too often' in desk.config_file.read_text()


def test_an_edit_by_hand_elsewhere_in_the_file_stays_and_blocks_nothing(desk, acted):
    """Of every act that is left standing, the newest first; each entry is as it was, and the comment too."""
    by_hand = '# by hand\n[agent.mine]   # own\nadapter = "digest"\n'
    for said, before in list(zip(ACTS, acted, strict=True))[::-1]:
        if desk.config_file.read_text().count(by_hand) == 0:
            desk.config_file.write_text(f"{desk.config_file.read_text()}\n{by_hand}")
        assert desk.json("undo") == {"undone": said, "passed": []}
        text = desk.config_file.read_text()
        assert by_hand in text
        rest = text.replace(by_hand, "").splitlines()
        assert sorted(filter(None, rest)) == sorted(filter(None, before.decode().splitlines()))
    assert "nothing to undo" in refused(desk)


def used_session(desk):
    desk.write("README.md", "- [ ] mend the pump\n")
    return desk.json("run", "--inject", "README.md")["session"]


def test_a_reset_that_a_run_has_used_says_so(desk):
    session = str(used_session(desk))
    desk.json("session", "reset", session)
    desk.json("run", "--inject", "README.md")
    assert f"reset session {session} cannot be taken back: a run has used its new generation" in refused(desk)
    assert "go past it with: qd undo --skip" in refused(desk)


def test_a_skill_that_was_allowed_is_held_again(desk):
    skill = desk.write(".claude/skills/deploy/SKILL.md", SKILL + "Build and push.\n")
    desk.write("README.md", "x\n")
    desk.configure('[agent.ops]\nadapter = "digest"\nskills = "ops"\n[skill_set.ops]\nskills = ["deploy"]\n')
    use = ("spawn", "--agent", "ops", "--inject", "README.md", "--task", "use it")
    desk.json(*use)
    skill.write_text(SKILL + "Build, push and mail the keys.\n")
    desk.json(*use, code=1)
    desk.json("skills", "allow", "deploy")
    desk.json(*use)
    assert desk.json("undo")["undone"] == "allow skill deploy"
    desk.json(*use, code=1)


def test_the_footer_says_what_u_takes_back_and_offers_it_only_then(desk, open_console):
    desk.configure(CONFIG.replace("enabled = false\n", ""))
    console = open_console(size=(160, 34))
    assert "undo" not in console.wait_for("engine up", "morning", "quit")
    console.keys("2", "p")
    console.wait_for("undo: pause morning", "paused")
    console.keys("u")
    console.wait_for("undone: pause morning")
    console.wait_without("undo: pause")
    assert desk.config_file.read_text() == CONFIG.replace("enabled = false\n", "")


def test_u_asks_before_it_goes_past_what_cannot_be_taken_back(desk, open_console):
    desk.configure(CONFIG)
    used = str(used_session(desk))
    desk.json("session", "reset", used)
    desk.json("cron", "resume", "morning")
    desk.config_file.write_text(desk.config_file.read_text().replace('"10m"', '"11m"'))
    console = open_console(size=(200, 34))
    console.wait_for("engine up", f"undo: reset session {used}", "generation 2 is due")
    console.keys("u")
    console.wait_for("Go past it?", "edited since", f"instead: reset session {used}")
    console.keys("Escape")
    console.wait_for(f"undo: reset session {used}")
    console.keys("u")
    console.wait_for("Go past it?", "enter do it")
    deadline = time.monotonic() + 40
    while "Go past it?" in console.screen():
        assert time.monotonic() < deadline
        console.keys("Enter")
        with contextlib.suppress(AssertionError):
            console.wait_without("Go past it?", patience_s=0.5)
    console.wait_for(f"undone: reset session {used}")
    console.wait_without("generation 2 is due")


def test_whichever_screen_is_up_says_what_was_undone_and_that_a_session_begins_afresh(desk, open_console):
    desk.configure(CONFIG)
    used = str(used_session(desk))
    console = open_console(size=(200, 34))
    console.wait_for("engine up", "morning")
    console.keys("Enter")
    console.wait_for("timeline", "gen 1")
    console.keys("r")
    console.wait_for("afresh?", "enter do it")
    deadline = time.monotonic() + 40
    while "afresh?" in console.screen():
        assert time.monotonic() < deadline
        console.keys("Enter")
        with contextlib.suppress(AssertionError):
            console.wait_without("afresh?", patience_s=0.5)
    console.wait_for("the next run begins afresh, in generation 2; u undoes that", "generation 2 is due")
    console.wait_for(f"undo: reset session {used}")
    console.keys("u")
    console.wait_for(f"undone: reset session {used}")
    console.wait_without("generation 2 is due")
