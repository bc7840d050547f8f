"""The part of the client that is about costs and estimates."""

from typing import Any
from urllib.parse import quote

from farm.client.asking import Asking, Source
from farm.service.cost_views import CampaignCosts, ProjectCosts
from farm.service.estimate_views import Estimate, Probe
from farm.service.views import Warned


class CostCalls(Asking):
    """Calls about costs and estimates, for a class that has the transport and a project."""

    def costs(self, name: str) -> CampaignCosts:
        """What a campaign was given, by use and by pool, and what that cost."""
        path = f"campaigns/{quote(name, safe='')}/costs"
        return self._http.get(CampaignCosts, path, {"project": self.project})

    def project_costs(self, since: float | None = None) -> ProjectCosts:
        """The same of all campaigns of the project, of attempts that ended since a time in seconds
        since 1970.
        """
        params: dict[str, Any] = {"project": self.project}
        if since is not None:
            params["since"] = str(since)
        return self._http.get(ProjectCosts, "costs", params)

    def estimate(self, campaign: Source, *, workers: int | None = None) -> Estimate:
        """What a campaign would take if it were submitted now: with the workers that are there
        (`now`), and with so many, or as many as the farm may have (`planned`). Changes nothing,
        and raises as `submit` does.
        """
        answer, found = self._ask(Estimate, "estimates", campaign, {"workers": workers})
        own = [Warned(path=list(problem.path), message=problem.message) for problem in found]
        return answer.model_copy(update={"warnings": [*own, *answer.warnings]})

    def probe(self, campaign: Source, renders: int) -> Probe:
        """Submit the first renders of a campaign as one of their own, which the answer names. Once
        it is painted, `estimate` has something to go by.
        """
        answer, _ = self._ask(Probe, "estimates/probes", campaign, {"renders": renders})
        return answer
