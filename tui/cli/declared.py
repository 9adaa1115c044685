"""`qd templates`, `qd task-types`: what may a spawn name, and what does each say? Needs neither engine nor state."""

from typing import Any

import msgspec

from engine.config.model import Config, Param, Template
from engine.config.routed import SHIPPED
from engine.runtime.settings import load_strict
from tui.cli.run_text import hung
from tui.cli.verb import Context, Output, Verb, no_arguments, noted, page, table


def _templates(context: Context) -> Output:
    config = load_strict(context.home)
    data = {"templates": [_template_view(name, one) for name, one in config.template.items()]}
    if not data["templates"]:
        teach = "No templates. Declare one as [template.NAME] with a task, then: qd spawn --template NAME"
        return Output(data, teach)
    return Output(data, "\n\n".join(_template_words(name, one) for name, one in config.template.items()))


def _template_view(name: str, template: Template) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.to_builtins(template)
    params = [{"name": key, "required": param.default is None} | view["params"][key] for key, param in _of(template)]
    return {"name": name} | view | {"params": params}


def _of(template: Template) -> list[tuple[str, Param]]:
    return list(template.params.items())


def _template_words(name: str, template: Template) -> str:
    who = ", ".join((template.agent or "agent as the spawn says", template.task_type or "task type as its agent says"))
    lines = [hung("", f"{name}  {who}")]
    told = {key: value for key, value in msgspec.structs.asdict(template).items() if _is_said(key, value)}
    width = max((len(key) for key in (*told, *template.params)), default=0) + 4
    lines += [hung(f"  {key}".ljust(width), _value(value)) for key, value in told.items()]
    lines += [hung(f"  {{{key}}}".ljust(width), _param_words(param)) for key, param in _of(template)]
    return "\n".join(lines)


def _is_said(key: str, value: object) -> bool:
    """Of these, an empty one says nothing; of what is routed, an empty list says that there is to be nothing."""
    if key in ("task", "can_read", "can_write"):
        return bool(value)
    return key not in ("agent", "task_type", "params") and value is not None


def _param_words(param: Param) -> str:
    return f"{param.type}, must be given" if param.default is None else f"{param.type}, else {param.default!a}"


def _task_types(context: Context) -> Output:
    config = load_strict(context.home)
    views = [_type_view(name, config) for name in config.task_types]
    names = ("lane", "timeout", "target_tokens", "injected_tokens", "inject", "tools", "skills", "model")
    rows = [(view["name"], *(_value(view[name]) for name in names), _origin(view)) for view in views]
    header = ("task type", "lane", "timeout", "target", "hard limit", "inject", "tools", "skills", "model", "by")
    made = table(header, rows, right=(3, 4))
    if page().width is not None and max(map(len, made.splitlines())) > (page().width or 0):
        made = "\n\n".join(_type_words(view) for view in views)
    return Output({"task_types": views}, noted(made, _own_words(views)))


def _own_words(views: list[dict[str, Any]]) -> str:
    """Which of them the configuration changes, and which it adds."""
    changed = [f"{one['name']} ({', '.join(one['declared'])})" for one in views if one["shipped"] and one["declared"]]
    added = [one["name"] for one in views if not one["shipped"]]
    said = (("changed by the configuration: ", changed), ("added by the configuration: ", added))
    return "\n".join(hung(head, ", ".join(names)) for head, names in said if names)


def _type_view(name: str, config: Config) -> dict[str, Any]:
    """Its values, whether it is shipped, and which of its values the operator says."""
    own = msgspec.structs.asdict(config.task_type[name]) if name in config.task_type else {}
    values: dict[str, Any] = msgspec.to_builtins(config.task_types[name])
    declared = [key for key, value in own.items() if value is not None]
    return {"name": name, "shipped": name in SHIPPED, "declared": declared} | values


def _origin(view: dict[str, Any]) -> str:
    if not view["shipped"]:
        return "you"
    return f"shipped, you: {', '.join(view['declared'])}" if view["declared"] else "shipped"


def _type_words(view: dict[str, Any]) -> str:
    told = [key for key in view if key not in ("name", "shipped", "declared") and view[key] is not None]
    said = ", ".join(f"{key} {_value(view[key])}" for key in told)
    return "\n".join((hung("", f"{view['name']}  ({_origin(view)})"), hung("  ", said)))


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "nothing"
    return f"{value:,}" if isinstance(value, int) else str(value)


TEMPLATES = Verb(no_arguments, _templates)
TASK_TYPES = Verb(no_arguments, _task_types)
