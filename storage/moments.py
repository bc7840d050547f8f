"""Moments by the database's clock, which somebody may set back while they are to come."""

FARTHEST_S = 600.0
"""The farm sets no moment further ahead: one that is was set before the clock was set back, and
has passed.
"""


def is_to_come(moment: float | None, now: float) -> bool:
    """Whether a moment that the farm has set, in seconds since 1970, is still to come."""
    return moment is not None and now < moment <= now + FARTHEST_S
