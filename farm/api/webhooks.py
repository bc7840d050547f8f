"""The API's routes about webhooks."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from farm.api.bodies import Project
from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.webhook_views import DeadLetter, SentAgain, WebhookView
from farm.service.webhooks import WebhookService

Json = dict[str, Any]
Number = Annotated[int, Path(ge=1, lt=2**53)]


class NewWebhook(BaseModel):
    """An address, and the kinds of events that it hears of, parted by commas."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: Annotated[str, Field(max_length=2000)]
    kinds: Annotated[str | None, Field(max_length=2000)] = None


def webhook_routes(webhooks: WebhookService) -> APIRouter:
    routes = api_router("webhooks")

    @routes.get("/webhooks", **shows(list[WebhookView]))
    @needs(Deed.OPERATE)
    def all_webhooks(project: Project = "default") -> list[Json]:
        return webhooks.all(project)

    @routes.post("/webhooks", **shows(WebhookView))
    @needs(Deed.OPERATE)
    def add(body: NewWebhook, project: Project = "default") -> Json:
        return webhooks.add(project, body.url, body.kinds)

    @routes.get("/webhooks/dead", **shows(list[DeadLetter]))
    @needs(Deed.OPERATE)
    def dead(project: Project = "default") -> list[Json]:
        return webhooks.dead(project)

    @routes.post("/webhooks/dead/again", **shows(SentAgain))
    @needs(Deed.OPERATE)
    def send_again(project: Project = "default") -> Json:
        return webhooks.send_again(project)

    @routes.post("/webhooks/{number}/remove", **shows(WebhookView))
    @needs(Deed.OPERATE)
    def remove(number: Number, project: Project = "default") -> Json:
        return webhooks.remove(project, number)

    @routes.post("/webhooks/{number}/test", **shows(WebhookView))
    @needs(Deed.OPERATE)
    def test(number: Number, project: Project = "default") -> Json:
        return webhooks.test(project, number)

    return routes
