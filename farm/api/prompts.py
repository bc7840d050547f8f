"""The API's route about the prompts of a campaign."""

from typing import Any

from fastapi import APIRouter

from farm.api.bodies import PromptQuestion
from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.prompt_list import PromptLists
from farm.service.views import PromptList

Json = dict[str, Any]


def prompt_routes(prompts: PromptLists) -> APIRouter:
    routes = api_router("campaigns")

    @routes.post("/prompts", **shows(PromptList))
    @needs(Deed.SUBMIT)
    def list_prompts(question: PromptQuestion) -> Json:
        """The prompts of a campaign, which is not submitted."""
        return prompts.list(question.project, question.campaign, question.limit)

    return routes
