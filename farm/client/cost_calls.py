"""The part of the client that is about costs and estimates."""

from typing import Any
from urllib.parse import quote

from farm.client.transport import Transport
from farm.service.cost_views import CampaignCosts, ProjectCosts


class CostCalls:
    """Calls about costs, for a class that has the transport and a project."""

    _http: Transport
    project: str

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
