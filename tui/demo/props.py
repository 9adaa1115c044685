"""What stands on the stage of a demo? A configuration, a workspace with something to do, and skills."""

CONFIG = """\
# The configuration of a demo. It is thrown away with everything else here.
timezone = "UTC"

[engine]
max_runs = 6

[limits]
grace = "1s"
allow_unpriced = true

[adapter.claude_code]
program = "{absent}"

[adapter.codex]
program = "{absent}"

[adapter.command]
output_tokens = 1600

[agent.coder]
adapter = "command"
argv = ["sh", "tools/work.sh", "12"]
workspace = "{workspace}"
model = "claude-sonnet-5-5"
max_runs = 2

[agent.reviewer]
adapter = "command"
argv = ["sh", "tools/work.sh", "5"]
workspace = "{workspace}"
skills = "review"

[agent.releaser]
adapter = "digest"
workspace = "{workspace}"
skills = "release"

[agent.flaky]
adapter = "command"
argv = ["sh", "tools/fail.sh"]
workspace = "{workspace}"

[skill_set.review]
skills = ["changelog", "house-style"]

[skill_set.release]
skills = ["changelog", "deploy"]

[budget.day]
window = "day"
tokens = 200000
source = "quarterdeck"

[budget."all sessions"]
window = "day"
tokens = 80000000
usd = 25.0
action = "warn"

[budget.isolated]
window = "month"
tokens = 250000
lane = "isolated"

[budget.coder]
window = "hour"
tokens = 80000
agent = "coder"
action = "warn"
warn_at = 0.2

[budget.reviews]
window = "day"
tokens = 500
agent = "reviewer"
action = "ask"

[job.health-check]
every = "20s"
session = "main"
inject = ["HEARTBEAT.md"]
workspace = "{workspace}"

[job.link-check]
every = "45s"
agent = "flaky"
task = "follow every link of the site"
workspace = "{workspace}"

[job.morning-batch]
cron = "0 7 * * 1-5"
inject = ["status.md"]
workspace = "{workspace}"

[job.weekly-review]
cron = "0 9 * * 1"
inject = ["status.md"]
workspace = "{workspace}"
enabled = false

[template.fix]
agent = "coder"
task = "Mend {file}"
can_write = ["{file}"]

[template.fix.params.file]
type = "path"
"""

_SKILL = "---\nname: {name}\ndescription: {text}\n---\n{body}\n"
_WORK = """\
# What a coding agent might do, without a model: it thinks, says so, and tells what that used.
task=$(cat)
step=0
while [ "$step" -lt "${1:-8}" ]; do
    step=$((step + 1))
    sleep 1
    echo "step $step: looking at src/pump_$step.py"
    printf '{"input_tokens": %d, "cache_read_tokens": %d, "output_tokens": %d, "cost_microusd": %d}\\n' \\
        $((20 + step)) $((40 + 2 * step)) $((30 + step)) $((700 + 30 * step)) >> "$QUARTERDECK_USAGE"
done
echo "done: $(printf '%s' "$task" | tail -n 1)"
"""
_FAIL = """\
sleep 2
echo "checked 41 of 42 links"
echo "https://example.invalid/pump: no such host" >&2
exit 1
"""


def _skill(name: str, text: str, lines: int) -> str:
    return _SKILL.format(name=name, text=text, body="Build, push and watch what happens.\n" * lines)


ELSEWHERE = ("docs", "infra")
"""Beside the workspace: folders of sessions that are only observed."""
DEPLOY = ".claude/skills/deploy/SKILL.md"
"""The one that changes while nobody looks, and is held."""

FILES = {
    "status.md": "# Status\n\n- [ ] mend the pump\n- [x] paint the door\n\nHall two loses pressure at night.\n",
    "HEARTBEAT.md": "- [ ] look at the disk\n",
    "README.md": "# The site\n\nPages about a pump, and the scripts that publish them.\n",
    "src/pump.py": "def pressure(hall: int) -> float:\n    return 4.2 if hall == 1 else 3.1\n",
    "tools/work.sh": _WORK,
    "tools/fail.sh": _FAIL,
    ".claude/skills/changelog/SKILL.md": _skill("changelog", "Write release notes", 30),
    ".claude/skills/house-style/SKILL.md": _skill("house-style", "How this house writes", 55),
    DEPLOY: _skill("deploy", "Deploy the site to production", 40),
}
