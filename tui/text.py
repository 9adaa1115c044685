"""How does the console write a number, an age or a due time? The same way everywhere, in few cells."""

from datetime import UTC, datetime, tzinfo

from engine.admission.words import dollars

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
STALE_MS = 15 * MINUTE_MS
"""A figure that is older says how old it is."""

SOON_MS = 2 * MINUTE_MS
"""Below this, seconds are told, in steps so coarse that a quiet screen stays quiet."""

_SCALES = ((1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def tokens(number: int | None) -> str:
    """`0`, `999`, `1.2k`, `41.2k`, `412k`, `2.27M`; unknown is `-`."""
    if number is None:
        return "-"
    if number < 0:
        return f"-{tokens(-number)}"
    for size, unit in _SCALES:
        if number >= size - size // 2000:
            value = number / size
            places = 2 if value < 9.995 and size >= 1_000_000 else 1 if value < 99.95 else 0
            return f"{value:.{places}f}{unit}"
    return str(number)


def money(microusd: int | None, short: bool = True) -> str:
    """`$0.00`, `<$.01`, `$0.83`, `$12.3`, `$412`, `$12k`: at most five cells; unknown is `-`.

    Not `short`: `$0.0041`, `$0.83`, `$1,234.56`, with four places below one cent.
    """
    if microusd is None:
        return "-"
    cents = (microusd + 5_000) // 10_000
    if not short:
        if 0 < microusd < 50:
            return "<$0.0001"
        if 0 < microusd < 10_000:
            return f"$0.{(microusd + 50) // 100:04}"
        return f"${cents // 100:,}.{cents % 100:02}"
    if 0 < microusd < 10_000:
        return "<$.01"
    if cents < 1_000:
        return f"${cents // 100}.{cents % 100:02}"
    dimes = (microusd + 50_000) // 100_000
    if dimes < 1_000:
        return f"${dimes // 10}.{dimes % 10}"
    dollars = (microusd + 500_000) // 1_000_000
    if dollars < 10_000:
        return f"${dollars}"
    return f"${dollars // 1_000}k" if dollars < 1_000_000 else f"${dollars // 1_000_000}M"


PURSE_WIDTH = 8


def purse(microusd: int, places: int = 0) -> str:
    """`$0.00`, `$.000950`, `$0.0450`, `$11.20`, `$412.37`, `$1234.56`, `$12k`: what a budget counts, in eight cells."""
    said = priced(microusd, places)
    if len(said) > PURSE_WIDTH:
        said = said.replace(",", "").replace("$0.", "$.")
    if len(said) > PURSE_WIDTH and places > 2:
        return purse(microusd, places - 2)
    return said if len(said) <= PURSE_WIDTH else money(microusd)


def priced(microusd: int, places: int = 0) -> str:
    """`$0.0450`, with at least so many places; by itself it has as many as a verdict gives it."""
    return f"${microusd / 1_000_000:,.{places}f}" if places > _places(dollars(microusd)) else dollars(microusd)


def places(*amounts_microusd: int) -> int:
    """With how many places amounts that stand beside each other read differently where they differ; 0 is the usual."""
    different = set(amounts_microusd)
    return next((number for number in (0, 4) if len({_read(one, number) for one in different}) == len(different)), 6)


def _read(microusd: int, places: int) -> float:
    """The number that a reader makes of it."""
    return float(priced(microusd, places).replace("$", "").replace(",", ""))


def _places(said: str) -> int:
    return len(said.partition(".")[2])


def amount(unit: str, number: int, beside: int | None = None) -> str:
    """In the unit of a budget: `41.2k` tokens, or `$11.20`, with the places that tell it from what stands beside it."""
    if unit != "microusd":
        return tokens(number)
    return purse(number, 0 if beside is None else places(number, beside))


def amount_in_full(unit: str, number: int, *beside: int) -> str:
    """The same without rounding to a thousand: `41,200 tokens`, `$1,234.56`."""
    return priced(number, places(number, *beside)) if unit == "microusd" else plural(number, "token")


def cost(microusd: int, unpriced: int, responses: int, short: bool = True) -> str:
    """What a sum of responses cost: `-` when no response has a price, `+` behind it when only some have."""
    if unpriced >= responses > 0:
        return "-"
    return f"{money(microusd, short)}{'+' if unpriced else ''}"


def percent(share: float | None) -> str:
    """`0%`, `<1%`, `62%`, `99%`, `100%`, at most `999%`; unknown is `-`. Only what is full says 100%."""
    if share is None:
        return "-"
    if 0 < share < 0.01:
        return "<1%"
    return f"{min(999, int(share * 100 + 1e-9) if share < 1 else round(share * 100))}%"


TREND_MARKS = {"rising": "^", "falling": "v", "steady": "="}
"""Behind a cache-hit ratio: where it went over the last responses."""


def window_name(minutes: int | None) -> str | None:
    """`5 h`, `week`, `day`, `90 min`: how long a subscription's window is; None when the log does not tell."""
    if minutes is None or minutes <= 0:
        return None
    named = {1440: "day", 10_080: "week"}
    if minutes in named:
        return named[minutes]
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def age(since_ms: int, now_ms: int) -> str:
    """`now`, `3 min`, `2 h`, `5 d`: steps so coarse that a quiet screen stays quiet."""
    passed = max(0, now_ms - since_ms)
    if passed < MINUTE_MS:
        return "now"
    if passed < HOUR_MS:
        return f"{passed // MINUTE_MS} min"
    if passed < 2 * DAY_MS:
        return f"{passed // HOUR_MS} h"
    return f"{passed // DAY_MS} d"


def ago(since_ms: int, now_ms: int) -> str:
    """`just now`, `40 s ago`, `3 min ago`."""
    passed = now_ms - since_ms
    if 10_000 <= passed < SOON_MS:
        return f"{passed // 10_000 * 10} s ago"
    said = age(since_ms, now_ms)
    return "just now" if said == "now" else f"{said} ago"


def uptime(since_ms: int, now_ms: int) -> str:
    """`4 min`, `3h 12m`, `3d 4h`."""
    minutes = max(0, now_ms - since_ms) // MINUTE_MS
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes % 60}m" if hours else f"{minutes} min"


def duration(passed_ms: int) -> str:
    """`0.4 s`, `41 s`, `3 min 20 s`, `1 h 5 min`."""
    if passed_ms < 10_000:
        return f"{max(0, passed_ms) / 1000:.1f} s"
    seconds = passed_ms // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds // 60 % 60} min"


def local(at_ms: int, zone: tzinfo | None) -> datetime:
    """The instant in the operator's zone; `None` is the machine's."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)


def clock(at_ms: int, zone: tzinfo | None) -> str:
    return local(at_ms, zone).strftime("%H:%M:%S")


def stamp(at_ms: int, zone: tzinfo | None) -> str:
    return local(at_ms, zone).strftime("%Y-%m-%d %H:%M")


def due(at_ms: int | None, now_ms: int, zone: tzinfo | None) -> str:
    """`in 20 s`, `in 95 s`, `in 4 min`, `18:00`, `tomorrow 07:00`, `Mon 09:00`, `24 Dec 07:00`; never is `-`."""
    if at_ms is None:
        return "-"
    left = at_ms - now_ms
    if left < SOON_MS:
        return "now" if left <= 0 else f"in {-(-left // 5_000) * 5} s"
    if left < HOUR_MS:
        return f"in {-(-left // MINUTE_MS)} min"
    then, today = local(at_ms, zone), local(now_ms, zone).date()
    days = (then.date() - today).days
    if days == 0:
        return then.strftime("%H:%M")
    if days == 1:
        return then.strftime("tomorrow %H:%M")
    return then.strftime("%a %H:%M" if days < 7 else "%d %b %H:%M")


def moment(at_ms: int, now_ms: int, zone: tzinfo | None, seconds: bool = False) -> str:
    """`18:40` today, or `18:40:15`, `Mon 09:00` within a week, else `24 Dec`: when something will be, or was."""
    then, today = local(at_ms, zone), local(now_ms, zone).date()
    days = (then.date() - today).days
    if days == 0:
        return then.strftime("%H:%M:%S" if seconds else "%H:%M")
    return then.strftime("%a %H:%M" if -7 < days < 7 else "%d %b")


def left(until_ms: int, now_ms: int) -> str:
    """How much of a window is left: `38 min left`."""
    return f"{age(now_ms, max(now_ms, until_ms))} left".replace("now left", "ends now")


def plural(number: int, thing: str) -> str:
    """`1 run`, `3 runs`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def token_words(number: int) -> str:
    """`1 token`, `41.2k tokens`."""
    return "1 token" if number == 1 else f"{tokens(number)} tokens"


def short_path(path: str, home: str) -> str:
    """`~/src/site` for a folder below the operator's own."""
    return f"~{path[len(home) :]}" if home != "/" and (path == home or path.startswith(f"{home}/")) else path
