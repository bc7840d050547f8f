"""Counts in sentences."""


def counted(number: int, thing: str, things: str | None = None) -> str:
    """A count with its noun: 1 render, 2 renders. `things` is how many are called, if that takes
    more than an `s`: with the verb that follows, say.
    """
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
