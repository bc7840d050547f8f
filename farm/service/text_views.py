"""The API's answers about campaigns as texts, as frozen values."""

from farm.service.views import Plan, View


class Placed(View):
    """Something about a part of a text: the part, its line there, and if it stands in a CSV file
    that came with the text, the file and line of the row.
    """

    place: str
    message: str
    line: int | None
    row: str | None


class CheckedText(View):
    """The outcome of a text that was not submitted: a plan, or what is wrong with it."""

    problems: list[Placed]
    warnings: list[Placed]
    plan: Plan | None
