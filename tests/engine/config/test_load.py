"""Does a bad `quarterdeck.toml` say where it is bad, what is wrong, and the nearest right word?"""

from pathlib import Path

import pytest

from engine.config.durations import say, seconds
from engine.config.load import load, parse
from engine.config.locate import line_of, tables
from engine.config.model import BUILT_IN, Config
from engine.runtime.settings import CHECKS
from state.errors import ConfigError

JOB = '[job.a]\nevery = "1m"\n'


def refusal(text):
    with pytest.raises(ConfigError) as raised:
        parse(text, Path("q.toml"), CHECKS)
    assert raised.value.fix or "q.toml" in str(raised.value)
    return raised.value.line


@pytest.mark.parametrize(
    ("text", "where", "near"),
    [
        ('timezome = "UTC"', "q.toml:1: timezome", "'timezone'"),
        ("# c\n[limit]\nx = 1", "q.toml:2: limit", "'limits'"),
        ("[engine]\n\nmax_run = 4", "q.toml:3: engine.max_run", "'max_runs'"),
        ('[limits]\ntimeout_mx = "1m"', "q.toml:2: limits.timeout_mx", "'timeout_max'"),
        ('[skills]\nfolder = ["x"]', "q.toml:2: skills.folder", "'folders'"),
        ('[agent.x]\nadapter = "digest"\nworkspce = "/w"', "q.toml:3: agent.x.workspce", "'workspace'"),
        ('[skill_set.r]\nskill = ["x"]', "q.toml:2: skill_set.r.skill", "'skills'"),
        ('[budget.d]\nwindow = "day"\ntoken = 5', "q.toml:3: budget.d.token", "'tokens'"),
        (JOB + 'crom = "x"', "q.toml:3: job.a.crom", "'cron'"),
        (JOB + "[job.b]\nzzzz = 1", "q.toml:4: job.b.zzzz", "known here: model, fallback"),
        ('[job."my job"]\nevery = "1m"\nevry = 1', "q.toml:3: job.my job.evry", "'every'"),
        ('job.a.every = "1m"\njob.a.evry = 1', "q.toml:2: job.a.evry", "'every'"),
        ('[job]\na = {every = "1m", evry = 1}', "q.toml:2: job.a.evry", "'every'"),
    ],
)
def test_an_unknown_key_at_each_level(text, where, near):
    said = refusal(text)
    assert said.startswith(f"{where}: unknown key")
    assert near in said


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("timezone = 5", "q.toml:1: timezone", "where a text belongs"),
        ("\n[engine]\nmax_runs = true", "q.toml:3: engine.max_runs", "where a whole number belongs"),
        ("engine = 5", "q.toml:1: engine", "where a table belongs"),
        ('[limits]\ninjected_tokens = "8000"', "q.toml:2: limits.injected_tokens", "where a whole number belongs"),
        ("[limits]\ntimeout_max = 300", "q.toml:2: limits.timeout_max", "where a text belongs"),
        ('[task_type.mine]\nlane = "side"', "q.toml:2: task_type.mine.lane", "'side' is none of "),
        ('[adapter.digest]\nturns = "1"', "q.toml:2: adapter.digest.turns", "where a whole number belongs"),
        ("[template.t]\ntask = 5", "q.toml:2: template.t.task", "where a text belongs"),
        ('[template.t.params.x]\ntype = "date"', "q.toml:2: template.t.params.x.type", "'date' is none of "),
        ('[skills]\nfolders = "x"', "q.toml:2: skills.folders", "where a list belongs"),
        ('[agent.x]\nadapter = "claude"', "q.toml:2: agent.x.adapter", "'claude' is none of "),
        ('[agent.x]\nargv = ["a"]', "q.toml:1: agent.x", "it needs adapter"),
        ('[agent.x]\nadapter = "command"\nargv = ["a", 5]', "q.toml:3: agent.x.argv", "where a text belongs"),
        ('[skill_set.r]\nskills = "x"', "q.toml:2: skill_set.r.skills", "where a list belongs"),
        ('[budget.d]\nwindow = "year"\ntokens = 5', "q.toml:2: budget.d.window", "'year' is none of "),
        ('[budget.d]\nwindow = "day"\ntokens = 1.5', "q.toml:3: budget.d.tokens", "where a whole number belongs"),
        (JOB + '[job.b]\nevery = "1m"\nenabled = "yes"', "q.toml:5: job.b.enabled", "where true or false belongs"),
        (JOB + 'session = "both"', "q.toml:3: job.a.session", "'both' is none of "),
        ("[job]\na = 5", "q.toml:2: job.a", "where a table belongs"),
    ],
)
def test_a_wrong_type_in_each_section(text, where, what):
    said = refusal(text)
    assert said.startswith(f"{where}"), said
    assert what in said


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = = 2", 2), ("[job.a", 1), ('x = "open\n', 1), (JOB + JOB, 3), ("a = 1\na = 2\n", 2), ("a = \x00", 1)],
)
def test_what_is_not_toml(text, line):
    assert refusal(text).startswith(f"q.toml:{line}: not TOML: ")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('[limits]\ntimeout = "5m"', "q.toml:2: limits.timeout", "did you mean 'timeout_max'?"),
        ('[limits]\ntimeout_max = "soon"', "q.toml:2: limits.timeout_max", "write it like 90s, 10m or 1h30m"),
        ('[console]\nrefresh = "1ms"', "q.toml:2: console.refresh", "from 50 ms to 1 min"),
        ('[console]\nrefresh = "soon"', "q.toml:2: console.refresh", "is no duration"),
        ('[engine]\nidle_exit = "0s"', "q.toml:2: engine.idle_exit", "more than zero"),
        ('[limits]\ngrace = "-1s"', "q.toml:2: limits.grace", "is no duration"),
        ('[limits]\ntimeout_max = "9999999999d"', "q.toml:2: limits.timeout_max", "longer than ten years"),
        ('[agent.x]\nadapter = "digest"\ntimeout = ""', "q.toml:3: agent.x.timeout", "is no duration"),
        (JOB + 'timeout = "5 minutes"', "q.toml:3: job.a.timeout", "is no duration"),
        ('[job.a]\nevery = "10x"', "q.toml:2: job.a.every", "is no duration"),
        ('[job.a]\nevery = "500ms"', "q.toml:2: job.a.every", "shorter than a second"),
        ("[job.a]\n", "q.toml:1: job.a", "exactly one of every and cron"),
        (JOB + 'cron = "* * * * *"', "q.toml:1: job.a", "exactly one of every and cron"),
        (JOB + 'agent = "digst"', "q.toml:3: job.a.agent", "did you mean 'digest'?"),
        ('[agent.x]\nadapter = "command"', "q.toml:1: agent.x", "needs argv"),
        ('[agent.x]\nadapter = "digest"\nskills = "r"', "q.toml:3: agent.x.skills", "known: none"),
        ('[skill_set.review]\nskills=[]\n[agent.x]\nadapter="digest"\nskills = "reviw"', "q.toml:5:", "'review'"),
        ('[budget.d]\nwindow = "day"\ntokens = -1', "q.toml:3: budget.d.tokens", "negative"),
        ('[budget.d]\nwindow = "day"\ntokens = 1\nwarn_at = 1.1', "q.toml:4: budget.d.warn_at", "at most 1"),
        ('[budget.d]\nwindow = "day"\ntokens = 1\nwarn_at = nan', "q.toml:4: budget.d.warn_at", "at most 1"),
        ('[budget.d]\nwindow = "day"\ntokens = 1\nagent = "x"', "q.toml:4: budget.d.agent", "known: digest, command"),
        (JOB + '[budget.d]\nwindow = "day"\ntokens = 1\njob = "b"', "q.toml:6: budget.d.job", "'b'"),
        ('timezone = "Mars/Olympus"', "q.toml:1: timezone", "no time zone 'Mars/Olympus'"),
        ('[job.a]\ncron = "60 * * * *"', "q.toml:2: job.a.cron", "'60' is no minute"),
        (JOB + 'zone = "Nowhere"', "q.toml:2: job.a.every", None),
    ],
)
def test_what_no_single_type_can_see(text, where, what):
    if what is None:
        parse(text, Path("q.toml"), CHECKS)  # an interval knows no zone
        return
    said = refusal(text)
    assert said.startswith(where), said
    assert what in said


OWN = '[task_type.mine]\ntimeout = "1m"\n'
AGENT = '[agent.x]\nadapter = "digest"\n'
TEMPLATE = "[template.t]\n"
BUDGET = '[budget.d]\nwindow = "day"\n'


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('[waiting]\napproval = "never"', "q.toml:2: waiting.approval", "is no duration"),
        ('[waiting]\nroom = "0s"', "q.toml:2: waiting.room", "more than zero"),
        (OWN + 'timeout_max = "x"', "q.toml:3: task_type.mine.timeout_max", "is no duration"),
        ('[task_type.chat]\ntimeout = "x"', "q.toml:2: task_type.chat.timeout", "is no duration"),
        (TEMPLATE + 'timeout = "x"', "q.toml:2: template.t.timeout", "is no duration"),
        ("[task_type.mine]\n", "q.toml:1: task_type.mine", 'needs a timeout; for instance timeout = "5m"'),
        ("[engine]\nmax_runs = 0", "q.toml:2: engine.max_runs", "at least 1"),
        ("[limits]\ninjected_tokens = 0", "q.toml:2: limits.injected_tokens", "at least 1"),
        ("[limits]\nfile_tokens = -1", "q.toml:2: limits.file_tokens", "at least 1"),
        ("[limits]\nrun_tokens = 0", "q.toml:2: limits.run_tokens", "at least 1"),
        ("[limits]\noutput_tokens = 0", "q.toml:2: limits.output_tokens", "at least 1"),
        ("[limits]\ndepth = -1", "q.toml:2: limits.depth", "at least 0"),
        ("[limits]\nchildren = -1", "q.toml:2: limits.children", "at least 0"),
        ("[limits]\nrun_usd = -0.5", "q.toml:2: limits.run_usd", "from 0 to 1,000,000"),
        ("[limits]\nrun_usd = nan", "q.toml:2: limits.run_usd", "in dollars"),
        ("[limits]\nrun_usd = inf", "q.toml:2: limits.run_usd", "in dollars"),
        ("[task_type.chat]\ntarget_tokens = 0", "q.toml:2: task_type.chat.target_tokens", "at least 1"),
        (AGENT + "injected_tokens = 0", "q.toml:3: agent.x.injected_tokens", "at least 1"),
        (JOB + "run_tokens = 0", "q.toml:3: job.a.run_tokens", "at least 1"),
        (TEMPLATE + "run_usd = 1e9", "q.toml:2: template.t.run_usd", "from 0 to 1,000,000"),
        (AGENT + "max_runs = 0", "q.toml:3: agent.x.max_runs", "at least 1"),
        (AGENT + 'argv_resume = ["a"]', "q.toml:3: agent.x.argv_resume", "the digest adapter takes none"),
        (AGENT + 'argv = ["a"]', "q.toml:3: agent.x.argv", "it is for command, acp"),
        (AGENT + 'home = "~/x"', "q.toml:3: agent.x.home", "it is for claude_code, codex"),
        (AGENT + 'key = "env:A"', "q.toml:3: agent.x.key", "the digest adapter takes none"),
        ('[agent.x]\nadapter = "acp"', "q.toml:1: agent.x", "the acp adapter needs argv"),
        ('[agent.x]\nadapter = "openai"\nkey = "sk-123"', "q.toml:3: agent.x.key", "a reference, not a value"),
        ('[adapter.openai]\nkey = "env:A B"', "q.toml:2: adapter.openai.key", "write env:NAME"),
        ('[adapter.openai]\nbase_url = "host:1"', "q.toml:2: adapter.openai.base_url", "begin it with https://"),
        ('[adapter.openai]\nidle = "0s"', "q.toml:2: adapter.openai.idle", "more than zero"),
        (AGENT + '[agent.x.secrets]\nA = "b"', "q.toml:4: agent.x.secrets.A", "a reference, not a value"),
        (AGENT + 'silence = "0s"', "q.toml:3: agent.x.silence", "more than zero"),
        (AGENT + 'linger = "soon"', "q.toml:3: agent.x.linger", "no duration"),
        (AGENT + "stop_turns = 0", "q.toml:3: agent.x.stop_turns", "at least 1"),
        (AGENT + "stop_tokens = 0", "q.toml:3: agent.x.stop_tokens", "at least 1"),
        (AGENT + "stop_usd = -1", "q.toml:3: agent.x.stop_usd", "in dollars"),
        (AGENT + 'fallback = [""]', "q.toml:3: agent.x.fallback", "the name of a model is empty"),
        ("[adapter.digest]\noverhead_tokens = -1", "q.toml:2: adapter.digest.overhead_tokens", "at least 0"),
        ("[adapter.digest]\noutput_tokens = 0", "q.toml:2: adapter.digest.output_tokens", "at least 1"),
        ("[adapter.digest]\nturns = 0", "q.toml:2: adapter.digest.turns", "at least 1"),
        ("[adapter.digst]\nturns = 1", "q.toml:1: adapter.digst", "did you mean 'digest'?"),
        ('[adapter.digest]\nskills = "x"', "q.toml:2: adapter.digest.skills", "known: none"),
        ('[task_type.chat]\nskills = "x"', "q.toml:2: task_type.chat.skills", "there is no skill set 'x'"),
        (TEMPLATE + 'skills = "x"', "q.toml:2: template.t.skills", "there is no skill set 'x'"),
        (JOB + 'skills = "nona"', "q.toml:3: job.a.skills", "did you mean 'none'?"),
        ("[skill_set.none]\nskills = []", "q.toml:1: skill_set.none", "the name of the empty set"),
        (TEMPLATE + 'agent = "digst"', "q.toml:2: template.t.agent", "did you mean 'digest'?"),
        (TEMPLATE + 'task_type = "reserch"', "q.toml:2: template.t.task_type", "did you mean 'research'?"),
        (AGENT + 'task_type = "x"', "q.toml:3: agent.x.task_type", "known: heartbeat, cron"),
        (JOB + 'task_type = "hartbeat"', "q.toml:3: job.a.task_type", "did you mean 'heartbeat'?"),
        (BUDGET, "q.toml:1: budget.d", "needs tokens, usd or both"),
        (BUDGET + "usd = -1.0", "q.toml:3: budget.d.usd", "from 0 to 1,000,000"),
        (BUDGET + "usd = nan", "q.toml:3: budget.d.usd", "in dollars"),
        (BUDGET + 'usd = 1.0\ntask_type = "crn"', "q.toml:4: budget.d.task_type", "did you mean 'cron'?"),
    ],
)
def test_what_routing_and_limits_cannot_mean(text, where, what):
    said = refusal(text)
    assert said.startswith(f"{where}: "), said
    assert what in said


MANY = 10**15 + 1
BEYOND = 18_446_744_073_709_551_615


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (f"[engine]\nmax_runs = {BEYOND}", "q.toml:2: engine.max_runs", "at most 10,000"),
        (f"[limits]\ninjected_tokens = {MANY}", "q.toml:2: limits.injected_tokens", "at most 1,000,000,000,000,000"),
        (f"[limits]\nfile_tokens = {MANY}", "q.toml:2: limits.file_tokens", "at most"),
        (f"[limits]\nrun_tokens = {MANY}", "q.toml:2: limits.run_tokens", "at most"),
        ("[limits]\noutput_tokens = 1000000001", "q.toml:2: limits.output_tokens", "at most 1,000,000,000"),
        ("[limits]\ndepth = 10001", "q.toml:2: limits.depth", "at most 10,000"),
        ("[limits]\nchildren = 10001", "q.toml:2: limits.children", "at most 10,000"),
        (f"[limits]\nrun_usd = {BEYOND}", "q.toml:2: limits.run_usd", "from 0 to 1,000,000"),
        (f"[task_type.chat]\ntarget_tokens = {BEYOND}", "q.toml:2: task_type.chat.target_tokens", "at most"),
        (AGENT + f"injected_tokens = {BEYOND}", "q.toml:3: agent.x.injected_tokens", "at most"),
        (AGENT + "max_runs = 10001", "q.toml:3: agent.x.max_runs", "at most 10,000"),
        (JOB + f"run_tokens = {BEYOND}", "q.toml:3: job.a.run_tokens", "at most"),
        ("[adapter.command]\noverhead_tokens = 1000000001", "q.toml:2: adapter.command.overhead_tokens", "at most"),
        (f"[adapter.command]\noutput_tokens = {BEYOND}", "q.toml:2: adapter.command.output_tokens", "at most"),
        ("[adapter.command]\nturns = 10001", "q.toml:2: adapter.command.turns", "at most 10,000"),
        (BUDGET + "tokens = 99999999999999999999", "q.toml:3: budget.d.tokens", "at most 1,000,000,000,000,000"),
        (BUDGET + f"usd = {'9' * 400}", "q.toml:3: budget.d.usd", "out of range"),
    ],
)
def test_more_than_anything_can_hold_is_refused(text, where, what):
    said = refusal(text)
    assert said.startswith(f"{where}: "), said
    assert what in said


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000])
def test_what_no_parser_takes_is_said_in_one_line(value):
    assert refusal(f"a = {value}").startswith("q.toml: not TOML that can be read: ")


HOUR = 'timeout = "1h"\n'
LONG = '[task_type.long]\ntimeout = "2h"\ntimeout_max = "3h"\n'


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (
            AGENT + HOUR,
            "q.toml:3: agent.x.timeout",
            "1 h is over the maximum of 30 min for any task type; give at most",
        ),
        (AGENT + 'task_type = "chat"\n' + HOUR + LONG, "q.toml:4: agent.x.timeout", "or raise limits.timeout_max"),
        (AGENT + 'timeout = "4h"\n' + LONG, "q.toml:3: agent.x.timeout", "over the maximum of 3 h for any task type"),
        (TEMPLATE + HOUR, "q.toml:2: template.t.timeout", "30 min for any task type"),
        (TEMPLATE + HOUR + 'task_type = "cron"\n' + LONG, "q.toml:2: template.t.timeout", "30 min for cron"),
        (
            TEMPLATE + HOUR + 'agent = "x"\n' + AGENT + 'task_type = "chat"\n' + LONG,
            "q.toml:2: template.t.timeout",
            "30 min for chat",
        ),
        (JOB + HOUR + LONG, "q.toml:3: job.a.timeout", "1 h is over the maximum of 30 min for cron"),
        (JOB + HOUR + 'task_type = "chat"\n', "q.toml:3: job.a.timeout", "30 min for chat"),
        (
            AGENT + HOUR + LONG + JOB + 'agent = "x"',
            "q.toml:7: job.a.timeout",
            "1 h, as its agent x says, is over the maximum of 30 min for cron",
        ),
        (OWN + 'timeout_max = "30s"', "q.toml:2: task_type.mine.timeout", "or raise task_type.mine.timeout_max"),
        ("[task_type.chat]\n" + HOUR, "q.toml:2: task_type.chat.timeout", "or raise limits.timeout_max"),
        (
            '[task_type.chat]\ntimeout_max = "1m"',
            "q.toml:2: task_type.chat.timeout_max",
            'below the timeout of this task type, 5 min; give it a timeout, too: timeout = "1m"',
        ),
    ],
)
def test_a_timeout_that_can_never_be_allowed_is_refused(text, where, what):
    said = refusal(text)
    assert said.startswith(f"{where}: "), said
    assert what in said


def test_a_job_of_a_command_needs_a_workspace():
    agent = '[agent.x]\nadapter = "command"\nargv = ["true"]\n'
    said = refusal(agent + JOB + 'agent = "x"')
    assert said.startswith("q.toml:4: job.a: neither this job nor its agent x names a workspace")
    assert 'for instance workspace = "~/notes"' in said
    for text in (agent + JOB + 'agent = "x"\nworkspace = "~"', agent + 'workspace = "/w"\n' + JOB + 'agent = "x"', JOB):
        parse(text, Path("q.toml"), CHECKS)


PARAM = "[template.t.params.x]\n"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (TEMPLATE + 'inject = ["{y}.md"]', "q.toml:2: template.t.inject", "declare it: [template.t.params.y]"),
        (TEMPLATE + 'can_read = ["{y}"]', "q.toml:2: template.t.can_read", "'y' is no parameter"),
        (TEMPLATE + 'can_write = ["a{y}"]', "q.toml:2: template.t.can_write", "'y' is no parameter"),
        (PARAM, "q.toml:1: template.t.params.x", "used nowhere; write {x} where"),
        (TEMPLATE + 'task = "{ x }"\n' + PARAM, "q.toml:3: template.t.params.x", "used nowhere"),
        (TEMPLATE + 'prompt_template = "{x}"\n' + PARAM, "q.toml:3: template.t.params.x", "used nowhere"),
        (TEMPLATE + 'inject = ["{x}"]\n' + PARAM, "q.toml:3: template.t.params.x", "a text cannot be part of a path"),
        (TEMPLATE + 'can_read = ["{x}"]\n' + PARAM, "q.toml:3: template.t.params.x", 'give it type = "path"'),
        (TEMPLATE + 'can_write = ["{x}"]\n' + PARAM, "q.toml:3: template.t.params.x", "cannot be part of a path"),
        (
            TEMPLATE + 'task = "{x}"\n' + PARAM + 'type = "number"\ndefault = "x"',
            "q.toml:5: template.t.params.x.default",
            "a number has digits only",
        ),
        (
            TEMPLATE + 'inject = ["{x}"]\n' + PARAM + 'type = "word"\ndefault = "a/b"',
            "q.toml:5: template.t.params.x.default",
            "has no /",
        ),
        ('[template.t]\ntask = "{a b}"\n[template.t.params."a b"]\n', "q.toml:3: template.t.params.a b", "letters"),
    ],
)
def test_what_a_template_cannot_mean(text, where, what):
    said = refusal(text)
    assert said.startswith(f"{where}: "), said
    assert what in said


def test_what_stands_in_a_task_beside_its_parameters_is_just_text():
    config = parse(
        TEMPLATE + 'task = "{unknown} {0.x} {x}"\ninject = ["{n}/{w}"]\n' + PARAM + PARAMS, Path("q.toml"), CHECKS
    )
    assert {name: param.type for name, param in config.template["t"].params.items()} == {
        "x": "text",
        "n": "path",
        "w": "word",
    }


PARAMS = """
[template.t.params.n]
type = "path"
[template.t.params.w]
type = "word"
default = "tides"
"""


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        '[task_type.chat]\nmodel = "x"',
        '[task_type.chat]\nskills = "none"',
        '[adapter.command]\nskills = "none"\noverhead_tokens = 0',
        "[limits]\ndepth = 0\nchildren = 0\nrun_usd = 0.0",
        '[agent.x]\nadapter = "command"\nargv = ["a"]\nargv_resume = ["b"]\nmax_runs = 1\ntask_type = "cron"',
        BUDGET + "usd = 0.0",
        BUDGET + "tokens = 1000000000000000",
        "[engine]\nmax_runs = 10000\n[limits]\nrun_tokens = 1000000000000000\noutput_tokens = 1000000000",
        "[adapter.command]\noverhead_tokens = 1000000000\nturns = 10000",
        AGENT + 'timeout = "1h"\n' + '[task_type.long]\ntimeout = "2h"\ntimeout_max = "3h"',
        '[limits]\ntimeout_max = "1m"',
        '[limits]\ntimeout_max = "1m"\n[task_type.chat]\ntimeout_max = "2m"',
        JOB + 'timeout = "30m"',
        BUDGET + "usd = 2.5\ntokens = 0\n" + OWN.replace("mine", "own"),
        OWN + BUDGET + 'tokens = 1\ntask_type = "mine"',
    ],
)
def test_what_is_allowed(text):
    parse(text, Path("q.toml"), CHECKS)


def test_everything_at_once_is_good():
    config = parse(
        """
timezone = "Europe/Berlin"
[agent.coder]
adapter = "command"
argv = ["a", "b"]
workspace = "/w"
skills = "review"
[skill_set.review]
skills = ["x"]
[budget.d]
window = "week"
tokens = 0
job = "nightly"
agent = "coder"
[job.nightly]
cron = "30 2 * * *"
agent = "coder"
""",
        Path("q.toml"),
        CHECKS,
    )
    assert config.agents.keys() == {*BUILT_IN, "coder"}
    assert (config.job["nightly"].session, config.budget["d"].action) == (None, "refuse")
    assert (config.idle_exit_s, config.timeout_max_s, config.grace_s) == (10, 1800, 10)


def test_files(tmp_path):
    path = tmp_path / "q.toml"
    assert load(path) == Config()
    path.write_bytes(b"# \xff\n")
    with pytest.raises(ConfigError, match="cannot read"):
        load(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        load(path)


TEXT = '''timezone = "UTC" # one
[limits] # two
  timeout = "5m"
grace="1s"

[ job . a ]
every = "1m"
task = """
every = "not here"
[job.b]
"""
can_write = [
  "x", # [job.b]
]
'enabled' = true
[job."b.c"]
every = "2m"
zone.x = 1
[[later]]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("timezone",), 1),
        (("limits",), 2),
        (("limits", "timeout"), 3),
        (("limits", "grace"), 4),
        (("job", "a"), 6),
        (("job", "a", "every"), 7),
        (("job", "a", "task"), 8),
        (("job", "a", "can_write", "0"), 12),
        (("job", "a", "enabled"), 15),
        (("job", "b.c"), 16),
        (("job", "b.c", "every"), 17),
        (("job", "b.c", "zone", "x"), 18),
        (("later",), 19),
        (("job", "a", "nowhere"), 6),
        (("nowhere",), 1),
        ((), 1),
    ],
)
def test_lines(path, line):
    assert line_of(TEXT, path) == line
    assert line_of(TEXT.replace("\n", "\r\n"), path) == line
    assert line_of("# \x85 \u2028\n" + TEXT, path) == (
        line + 1 if line_of(TEXT, path) > 1 or path == ("timezone",) else 1
    )


def test_tables():
    assert tables(TEXT) == [(2, ("limits",)), (6, ("job", "a")), (16, ("job", "b.c")), (19, ("later",))]


@pytest.mark.parametrize(
    ("text", "length_s", "said"),
    [
        ("90s", 90, "1 min 30 s"),
        ("10m", 600, "10 min"),
        ("1h30m", 5400, "1 h 30 min"),
        ("1.5h", 5400, "1 h 30 min"),
        ("45", 45, "45 s"),
        ("0.5", 0.5, "500 ms"),
        ("200ms", 0.2, "200 ms"),
        (" 2D ", 172_800, "2 d"),
        ("1d1s", 86_401, "1 d 1 s"),
    ],
)
def test_durations(text, length_s, said):
    assert seconds(text) == length_s
    assert say(length_s) == said


@pytest.mark.parametrize(
    "text", ["", " ", "m", "5 m", "1h 30m", "-5m", "1e3s", "5y", "inf", "nan", "٣s", "1.m", "9" * 400]
)
def test_no_durations(text):
    with pytest.raises(ValueError, match=r"duration|longer"):
        seconds(text)
