"""Views for operators: a look at the farm, and its logs."""

from typing import Any

from farm.service.views import View


class Finding(View):
    """One thing that was looked at; if it is not fine, the detail says what to do."""

    check: str
    fine: bool
    detail: str


class FarmDiagnosis(View):
    """A look at the farm that answers, and when by its own clock: seconds since 1970."""

    looked_at: float
    findings: list[Finding]


class LogEvent(View):
    """A line of a log: its time in seconds since 1970, its sentence, and its fields, such as
    `action`, `campaign`, `chunk` and `worker`.
    """

    at: float
    level: str
    logger: str
    message: str
    error: str | None
    fields: dict[str, Any]
