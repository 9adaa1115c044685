"""What is there to say about these files, without a model?

Pure and deterministic: open items, what changed since the last run, and the sentences that carry most of what the
files talk about. Reads nothing but what it is given."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

LINE_CHARS = 160
SCAN_CHARS = 2_000
KEPT_LINES = 2_000
KEPT_FILES = 500
SECTION_ITEMS = 200
SHOWN_CHANGES = 5
SALIENT = 8
PER_HEADING = 2

_BOX = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+\[ \]\s+(\S.*)")
_DONE = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+\[[xX]\]\s")
# TODO and FIXME anywhere; OPEN and BLOCKED only where they are a label, since they are words too.
_MARKER = re.compile(r"\b(?:TODO|FIXME)\b|^\W*(?:OPEN|BLOCKED)\b|\b(?:OPEN|BLOCKED):")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"[^\W\d_]{4,40}")
_COMMON = re.compile(
    r"about|after|again|also|because|been|before|being|both|could|does|each|even|every|from|"
    r"have|here|into|just|like|made|make|many|more|most|must|only|other|over|same|should|since|"
    r"some|such|than|that|their|them|then|there|these|they|this|those|through|under|until|upon|"
    r"very|want|well|were|what|when|where|which|while|will|with|would|your"
)


class File(Struct, frozen=True):
    """A file as it was injected."""

    path: str
    text: str


class Seen(Struct, frozen=True):
    """What is remembered of a file; `lines` is None where there were too many."""

    sha256: str
    lines: list[str] | None


def recap(task: str, files: list[File], notes: int, before: dict[str, Seen] | None) -> list[str]:
    """The lines of the recap; `before` is what the last run saw, None for a first one."""
    items = list(open_items(files))
    lines = [f"{_several(len(items), 'open item')} in {_read(files, notes)}", f"Task: {clean(task) or '(none)'}"]
    if before is not None:
        lines += ["", "## Changed since the last run", *_listed(changes(files, before))]
    if not any(file.text.strip() for file in files):
        return [*lines, "", "Nothing to report: no file was given, or all of them are empty."]
    lines += ["", "## Open items", *(_listed(items) or ["None."])]
    return [*lines, "", "## Salient", *(_listed(salient(files)) or ["No sentences."])]


def remember(files: list[File]) -> dict[str, Seen]:
    """What the next run needs in order to tell what changed; bounded."""
    seen = {file.path: _seen(file) for file in files}
    return {
        path: one if place < KEPT_FILES else Seen(one.sha256, None) for place, (path, one) in enumerate(seen.items())
    }


def open_items(files: list[File]) -> Iterator[str]:
    """Unchecked boxes and marked lines, with file and line number."""
    for file in files:
        for number, line in enumerate(file.text.split("\n"), 1):
            item = _open(line[:SCAN_CHARS])
            if item:
                yield f"- {clean(file.path)}:{number} {item}"


def changes(files: list[File], before: dict[str, Seen]) -> Iterator[str]:
    """Per file: new, changed, gone; those without a change on one line at the end."""
    now = {file.path: _seen(file) for file in files}
    same = [path for path, seen in now.items() if path in before and before[path].sha256 == seen.sha256]
    gone = [path for path in before if path not in now]
    if len(same) == len(now) and not gone:
        yield f"Nothing: all {len(now)} files are as they were."
        return
    for path, seen in now.items():
        if path not in before:
            yield f"- {clean(path)}: new"
        elif path not in same:
            yield from _difference(clean(path), before[path].lines, seen.lines)
    yield from (f"- {clean(path)}: gone" for path in gone)
    if same:
        yield f"- unchanged: {clean(', '.join(same))}"


def salient(files: list[File]) -> list[str]:
    """The best sentences in the order of the files.

    A sentence scores the sum, over its distinct words of four letters or more that are not common ones, of how often
    the word occurs in all files, divided by the number of those words plus four: frequent words count, and length
    alone does not. At most two per heading, none twice; of equals the first wins."""
    sentences = list(_sentences(files))
    frequency = Counter(word for _, text in sentences for word in _words(text))
    scored = [(_score(text, frequency), -place) for place, (_, text) in enumerate(sentences)]
    chosen: list[int] = []
    per_heading: Counter[str] = Counter()
    said: set[str] = set()
    for score, place in sorted(scored, reverse=True):
        heading, text = sentences[-place]
        if score == 0 or len(chosen) == SALIENT:
            break
        if text.casefold() not in said and per_heading[heading] < PER_HEADING:
            chosen.append(-place)
            per_heading[heading] += 1
            said.add(text.casefold())
    return [f"- {sentences[place][1]}" for place in sorted(chosen)]


def within(lines: list[str], limit: int | None, count: Callable[[str], int]) -> str:
    """The lines as text of at most `limit` tokens: the last ones are left out, and a line says how many.

    Empty when not even that line fits."""
    text = "\n".join(lines)
    if limit is None or count(text) <= limit:
        return text
    low, high = 0, len(lines) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(_cut(lines, middle)) <= limit else (low, middle - 1)
    for kept in range(low, -1, -1):
        if count(shorter := _cut(lines, kept)) <= limit:
            return shorter
    return ""


def clean(text: str, limit: int = LINE_CHARS) -> str:
    """One line of somebody else's text: without control and format characters or lone surrogates, cut at `limit`."""
    line = "".join(character if character.isprintable() else " " for character in text[:SCAN_CHARS])
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _cut(lines: list[str], kept: int) -> str:
    while kept and (not lines[kept - 1] or lines[kept - 1].startswith("## ")):
        kept -= 1
    return "\n".join([*lines[:kept], f"({len(lines) - kept} lines left out)"])


def _read(files: list[File], notes: int) -> str:
    lines = sum(file.text.count("\n") + (not file.text.endswith("\n") and bool(file.text)) for file in files)
    others = f"; {_several(notes, 'other part')}" if notes else ""
    return f"{_several(len(files), 'file')} with {_several(lines, 'line')}{others}"


def _several(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(items: Iterable[str]) -> list[str]:
    found = list(items)
    more = [f"- and {len(found) - SECTION_ITEMS} more"] if len(found) > SECTION_ITEMS else []
    return found[:SECTION_ITEMS] + more


def _seen(file: File) -> Seen:
    raw = file.text.encode("utf-8", "surrogatepass")
    lines = file.text.split("\n")
    kept = (
        [line[:SCAN_CHARS].encode("utf-8", "replace").decode() for line in lines] if len(lines) <= KEPT_LINES else None
    )
    return Seen(hashlib.sha256(raw).hexdigest(), kept)


def _difference(path: str, old: list[str] | None, new: list[str] | None) -> Iterator[str]:
    if old is None or new is None:
        yield f"- {path}: changed, too long to compare"
        return
    added, removed = _without(new, old), _without(old, new)
    what = (
        f"{_several(len(added), 'line')} added, {len(removed)} removed"
        if added or removed
        else "in order, blanks or length only"
    )
    yield f"- {path}: changed, {what}"
    for sign, lines in (("+", added), ("-", removed)):
        yield from (f"  {sign} {clean(line)}" for line in lines[:SHOWN_CHANGES])
        if len(lines) > SHOWN_CHANGES:
            yield f"  {sign} and {len(lines) - SHOWN_CHANGES} more"


def _without(lines: list[str], others: list[str]) -> list[str]:
    """The lines, blank ones apart, that `others` does not have (as often)."""
    left = Counter(others)
    found = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        elif line.strip():
            found.append(line)
    return found


def _open(text: str) -> str:
    box = _BOX.match(text)
    if box:
        return f"[ ] {clean(box[1])}"
    return clean(text) if _MARKER.search(text) and not _DONE.match(text) else ""


def _sentences(files: list[File]) -> Iterator[tuple[str, str]]:
    """Each sentence of prose, with the heading that it stands under; headings, items and fenced code have none."""
    for file in files:
        heading, fenced = file.path, False
        for number, line in enumerate(file.text.split("\n")):
            fenced ^= line.lstrip().startswith("```")
            if _HEADING.match(line):
                heading = f"{file.path}:{number}"
            elif not fenced and not _open(line[:SCAN_CHARS]) and not _DONE.match(line[:SCAN_CHARS]):
                yield from ((heading, text) for text in _split(line) if text)


def _split(line: str) -> Iterator[str]:
    return (clean(part).lstrip("-*+> ") for part in _SENTENCE.split(line[:SCAN_CHARS]))


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.casefold()) if not _COMMON.fullmatch(word)]


def _score(text: str, frequency: Counter[str]) -> int:
    words = set(_words(text))
    return 1000 * sum(frequency[word] for word in words) // (len(words) + 4)
