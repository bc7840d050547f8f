"""Views for operators: a look at the farm."""

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
