"""`qd tour`: the five keys that matter, as this operator has them."""

from tui import actions
from tui.actions.keymap import keymap
from tui.cli.verb import Context, Output, Verb, no_arguments
from tui.options import declared_in

MATTER = (
    ("list.open", "open what the cursor is on: a session, a run, a job; esc goes back"),
    ("spawn", "ask for a run; its verdict shows as you type, and nothing is spent before you say so"),
    ("inbox", "what needs you: questions that wait for your word, and your answer to them"),
    ("prompt", "go anywhere, or type any qd verb"),
    ("help", "every key that works where you are"),
)
"""By the names of the actions, and what a newcomer should know of each."""


def _tour(context: Context) -> Output:
    console = declared_in(context.home).console
    mine = keymap(console.keys, console.keymap, actions.ACTIONS)
    known = {action.name: action for action in actions.ACTIONS}
    keys = [{"name": name, "key": mine.say(known[name]), "does": does} for name, does in MATTER]
    width = max(len(key["key"]) for key in keys)
    lines = [
        "Five keys are enough to begin with:",
        "",
        *(f"  {key['key'].ljust(width)}  {key['does']}" for key in keys),
        "",
        f"Digits open panes, {mine.say(known['list.filter'])} narrows a list, {mine.say(known['leave'])} leaves;"
        " what runs goes on without you.",
        "To try them on fake work: qd demo",
    ]
    return Output({"keys": keys}, "\n".join(lines))


TOUR = Verb(no_arguments, _tour)
