"""Views of costs and estimates. Seconds are those for which workers had chunks; money is None
without prices in the fleet file.
"""

from farm.service.views import View


class Amount(View):
    """Seconds of workers, and what they cost."""

    seconds: float
    money: float | None


class Waste(View):
    """Costs that no picture came of, by reason."""

    padding: Amount
    loads: Amount
    retries: Amount
    stopped: Amount
    lost: Amount
    rejected: Amount


class CostParts(View):
    """All that workers gave, by use: painted, waste and idle add up to `given_s` and `money`."""

    given_s: float
    money: float | None
    painted: Amount
    waste: Waste
    idle: Amount
    attempts: int


class CampaignCosts(CostParts):
    """The costs of a campaign with its proofs and the versions that it has replaced.
    `per_approved` is set if pictures were reviewed.
    """

    campaign: str
    project: str
    pictures: int
    approved: int | None
    per_picture: Amount | None
    per_approved: Amount | None
    pools: dict[str, CostParts]


class ProjectCosts(View):
    """The costs of a project's campaigns, of attempts that ended `since` then; a time in seconds
    since 1970.
    """

    project: str
    since: float | None
    total: CostParts
    campaigns: dict[str, CostParts]
