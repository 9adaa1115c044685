"""How do verdicts say a number?"""


def many(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def dollars(microusd: int) -> str:
    """`$11.00`, `$0.83`, `$0.0410`, `$0.000950`: the smaller, the more digits, so that what is added up shows."""
    amount = microusd / 1_000_000
    if amount == 0 or abs(amount) >= 0.1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if abs(amount) >= 0.01 else f"${amount:.6f}"


def amount(unit: str, number: int) -> str:
    """In the unit of a budget: `1,200` tokens are just a number, money has its sign."""
    return dollars(number) if unit == "microusd" else f"{number:,}"
