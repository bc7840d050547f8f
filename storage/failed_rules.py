"""The rules of a brand that a picture fails, as its row has them: names with commas between."""

from sqlalchemy import ColumnElement

from storage.tables import renders


def fails_rule(rule: str) -> ColumnElement[bool]:
    """Whether a picture fails a rule of its brand, in any version if none is named."""
    named = "," + renders.c.rules_failed + ","
    begins = f",{rule}," if "@" in rule else f",{rule}@"
    return named.contains(begins, autoescape=True)
