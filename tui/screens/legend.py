"""What do the letters and figures of the panes mean? As the help page tells it."""

SESSION_LETTERS = (
    ("!", "needs me: a question is open, {inbox} answers it"),
    (">", "working: a run of ours is live, or an observed log grew in the last 15 seconds"),
    ("z", "waiting on its own timer, or for a claim, a place, or room in a budget"),
    (".", "idle"),
    ("o", "observed, and its log rests: whether it waits for you or is done cannot be known"),
    ("x", "gone: its workspace is not there any more"),
)
SLOT_LETTERS = (
    ("v", "finished"),
    ("f", "failed"),
    ("r", "refused by the gate"),
    ("m", "missed: no engine ran"),
    ("o", "overlap: the run before it was still going"),
    ("p", "paused"),
    ("i", "interrupted"),
    (">", "running"),
    ("!", "its run waits for your word"),
    ("z", "its run waits for a claim, a place, or room in a budget"),
)
RUN_LETTERS = (
    (">", "running"),
    ("v", "succeeded"),
    ("f", "failed, crashed, or could not start"),
    ("t", "ended at its timeout, or because it was silent for too long"),
    ("i", "interrupted"),
    ("c", "cancelled: stopped by you"),
    ("b", "ended because a budget was reached"),
    ("r", "refused by the gate"),
    ("!", "waits for your word"),
    ("z", "waits for a claim, a place, or room in a budget"),
)
CONVERSATION_LETTERS = (
    ("+", "begun"),
    ("R", "begun because you asked for a fresh one"),
    ("F", "begun as a copy of another one"),
    ("U", "undone: it is not gone on with"),
)
SKILL_LETTERS = (("!", "held: it is not what you allowed; {skill.look} shows what changed"),)
SESSION_FIGURES = (
    ("ctx", "context fill: its last response against its model's window"),
    (
        "cache 98%=",
        "part of all input that came from the cache; ^ v = behind it: rising, falling, steady over the last"
        " responses, no mark where they are few or old",
    ),
    ("tok/h", "tokens of the last hour"),
    ("$0.83+", "a part of it has no price"),
    ("-", "unknown, which is not zero"),
)
BUDGET_FIGURES = (
    ("#", "spent"),
    ("_", "reserved by a live run"),
    (".", "free"),
    ("> 18:40", "runs out then, before its window ends"),
    ("~52.0k", "what its window will likely hold at its end: the pace of late for an hour, then that of past days"),
    ("ok", "nothing more to come, as things go"),
    ("per run", "each run has this limit for itself"),
    ("action", "what happens to a run that does not fit: warn, ask (you), refuse, or pause (it waits for room)"),
    ("resets 14:05", "a provider's own window, as its client logged it; looked at only"),
    ("ends 14:00", "Claude's block of five hours, counted from its logs, which tell no limit"),
    ("2 h old", "nothing has been logged since"),
    ("burn", "tokens per minute; what is five minutes old weighs half"),
)
JOB_LETTERS = ((">", "running"), (".", "scheduled"), ("p", "paused"), ("! z", "its run waits, as below"))
