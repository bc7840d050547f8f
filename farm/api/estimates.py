"""The API's routes about estimates of campaigns that are not submitted yet."""

from typing import Any

from fastapi import APIRouter

from farm.api.bodies import Estimating, Probing
from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.campaign_texts import campaign_data
from farm.service.estimate_views import Estimate, Probe
from farm.service.forecasts import Forecasts
from farm.service.probes import Probes
from storage.errors import RequestError

Json = dict[str, Any]


def estimate_routes(forecasts: Forecasts, probes: Probes) -> APIRouter:
    routes = api_router("costs")

    @routes.post("/estimates", **shows(Estimate))
    @needs(Deed.SUBMIT)
    def estimate(body: Estimating) -> Json:
        """What a campaign would take; it changes nothing."""
        if (body.campaign is None) == (body.text is None):
            raise RequestError("Give either the campaign to estimate, or its text.")
        data = body.campaign if body.text is None else campaign_data(body.text, body.files)
        return forecasts.estimate(body.project, data or {}, body.workers)

    @routes.post("/estimates/probes", **shows(Probe))
    @needs(Deed.SUBMIT)
    def probe(body: Probing) -> Json:
        """Submit the first renders of a campaign as one of their own, so that an estimate has
        something to go by.
        """
        return probes.probe(body.project, body.campaign, body.renders)

    return routes
