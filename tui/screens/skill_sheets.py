"""Which skills are in a set, and which agents have it? Two small sheets with what a prompt pays for the choice."""

from collections.abc import Sequence
from typing import Any

from engine.config.model import BUILT_IN, NO_SKILLS, Config
from state.skills import Skill
from tui import actions
from tui.screens.sheet import Sheet, name_problem, no_line, ok_line
from tui.text import plural
from tui.theme import Palette
from tui.widgets.cells import Cell
from tui.widgets.form import Field


class SkillSetSheet(Sheet):
    """Fields of `[skill_set.NAME]`; below, what every prompt will carry."""

    BINDINGS = actions.bindings("sheet")

    def __init__(self, palette: Palette, config: Config, name: str, found: Sequence[Skill]) -> None:
        skills = config.skill_set[name].skills if name in config.skill_set else ()
        fields = (
            Field("name", name, "what to call it: review"),
            Field("skills", " ".join(skills), "names, apart by blanks, of what is found below"),
        )
        title = f"Skill set {name}" if name else "New skill set"
        super().__init__(palette, title, "an allow-list: a skill that is not on it is not offered to the agent", fields)
        self._config, self._old, self._found = config, name, {skill.name: skill for skill in found}

    def judge(self) -> None:
        names = self.form.values["skills"].split()
        known = [self._found[name] for name in names if name in self._found]
        missing = [name for name in names if name not in self._found]
        meta, body = sum(skill.meta_tokens for skill in known), sum(skill.body_tokens for skill in known)
        marked = self.found_wrong(
            [("name", problem)] if (problem := self._wrong(self.form.values["name"])) else [], "name"
        )
        lines = [
            *marked,
            ok_line("prompt", f"{plural(meta, 'token')} in every prompt, {body:,} more when all of them are used"),
        ]
        if missing:
            lines.append(no_line("missing", f"not found here: {', '.join(missing)}"))
        here = [name for name in self._found if name not in names]
        lines += [(), (("found here", "head"), (f"  {plural(len(self._found), 'skill')}", "dim"))]
        self.judged([*lines, *(self._skill_line(self._found[name]) for name in here)])

    def action_save(self) -> None:
        """Write it; the engine takes it up at once."""
        values = self.form.values
        name, skills = values["name"], tuple(dict.fromkeys(values["skills"].split()))
        if problem := self._wrong(name):
            self.flash(problem, "bad")
            return
        self.flash("writing", "dim")
        said = f"skill set {name} is in force"
        self.deck.link.put_entry("skill_set", name, {"skills": skills}, lambda _: self.written(said))

    def _wrong(self, name: str) -> str:
        if name == NO_SKILLS:
            return f"{NO_SKILLS} is the empty set; give it another name"
        return name_problem("set", name, self._old, self._config.skill_set)

    def _skill_line(self, skill: Skill) -> Cell:
        said = skill.problem or skill.description
        return (
            (f"  {skill.name:<24}", "text"),
            (f"{skill.meta_tokens:>6,}{skill.body_tokens:>8,}  ", "dim"),
            (said, "warn" if skill.problem else "dim"),
        )


class AssignSheet(Sheet):
    """Which agents have a set: written into the `skills` key of each `[agent.NAME]`."""

    BINDINGS = actions.bindings("sheet")

    def __init__(self, palette: Palette, config: Config, skill_set: str) -> None:
        having = [name for name, agent in config.agent.items() if agent.skills == skill_set]
        fields = (Field("agents", " ".join(having), "names, apart by blanks", tuple(config.agent)),)
        super().__init__(palette, f"Who has the skill set {skill_set}?", "written to [agent.NAME]", fields)
        self._config, self._set, self._having = config, skill_set, having

    def judge(self) -> None:
        names = self.form.values["agents"].split()
        lines: list[Cell] = [no_line("agent", self._wrong(name)) for name in names if self._wrong(name)]
        self.form.mark(("agents",) if lines else ())
        for name, agent in self._config.agent.items():
            before, after = agent.skills or "none", self._after(name, names)
            if before != after:
                lines.append(ok_line(name, f"{before} -> {after}"))
        known = ", ".join(self._config.agent) or "none declared yet; a set needs an [agent.NAME] to belong to"
        self.judged([*(lines or [(("nothing changes", "dim"),)]), (), (("agents here  ", "dim"), (known, "dim"))])

    def action_save(self) -> None:
        """Write every agent whose set changes."""
        names = self.form.values["agents"].split()
        wrong = [problem for name in names if (problem := self._wrong(name))]
        if wrong:
            self.flash(wrong[0], "bad")
            return
        entries: list[tuple[str, str, dict[str, Any]]] = [
            ("agent", name, {"skills": None if self._after(name, names) == "none" else self._after(name, names)})
            for name, agent in self._config.agent.items()
            if (agent.skills or "none") != self._after(name, names)
        ]
        self.flash("writing", "dim")
        self.deck.link.put_entries(list(entries), lambda _: self.written(f"skill set {self._set} is given"))

    def _after(self, name: str, names: list[str]) -> str:
        if name in names:
            return self._set
        agent = self._config.agent[name]
        return "none" if agent.skills == self._set else agent.skills or "none"

    def _wrong(self, name: str) -> str:
        if name in self._config.agent:
            return ""
        if name in BUILT_IN:
            return f"{name} is built in; declare an [agent.NAME] of your own for it to have skills"
        return f"there is no agent '{name}'"
