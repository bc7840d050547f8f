"""The API's routes about campaigns as texts, as people write and paste them."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.campaign_texts import CampaignTexts
from farm.service.reading import Reading
from farm.service.text_views import CheckedText
from farm.service.views import Submitted

Json = dict[str, Any]
_NAME = r"^[a-z0-9][a-z0-9-]*$"
_FILE = Annotated[str, Field(min_length=1, max_length=255)]
_TEXT = Annotated[str, Field(max_length=64 * 1024 * 1024)]


class CampaignText(BaseModel):
    """A campaign's text in YAML, and the CSV files that it names, by their names there. Nothing
    that lies on the farm's own machine is read for it.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    project: Annotated[str, Field(pattern=_NAME, max_length=80)] = "default"
    text: _TEXT
    files: Annotated[dict[_FILE, _TEXT], Field(max_length=100)] = {}
    update: bool = False


def text_routes(texts: CampaignTexts, reading: Reading) -> APIRouter:
    routes = api_router("campaigns")

    @routes.post("/texts/check", **shows(CheckedText))
    @needs(Deed.SUBMIT)
    def check(body: CampaignText) -> Json:
        """What submitting a text would do, or what is wrong with it and on which line."""
        return texts.check(body.project, body.text, body.files, update=body.update)

    @routes.post(
        "/texts",
        responses={201: {"description": "The campaign was not there before."}},
        **shows(Submitted),
    )
    @needs(Deed.SUBMIT)
    def submit(body: CampaignText, response: Response) -> Json:
        """Submits a text."""
        campaign, did = texts.submit(body.project, body.text, body.files, update=body.update)
        response.status_code = 201 if did["created"] else 200
        return {**reading.status(campaign.project, campaign.name), **did}

    return routes
