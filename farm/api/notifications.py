"""The API's routes about notifications."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from farm.api.bodies import Project
from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.notification_views import NotificationsAgain, NotificationView
from farm.service.notifications import NotificationService

Json = dict[str, Any]
Number = Annotated[int, Path(ge=1, lt=2**53)]


class NewNotification(BaseModel):
    """An address as Apprise has it, the kinds of events that are told there, parted by commas, and
    a name to show in its place.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    address: Annotated[SecretStr, Field(min_length=1, max_length=2000)]
    kinds: Annotated[str | None, Field(max_length=2000)] = None
    name: Annotated[str | None, Field(min_length=1, max_length=99)] = None


def notification_routes(notifications: NotificationService) -> APIRouter:
    routes = api_router("notifications")

    @routes.get("/notifications", **shows(list[NotificationView]))
    @needs(Deed.OPERATE)
    def all_notifications(project: Project = "default") -> list[Json]:
        return notifications.all(project)

    @routes.post("/notifications", **shows(NotificationView))
    @needs(Deed.OPERATE)
    def add(body: NewNotification, project: Project = "default") -> Json:
        address = body.address.get_secret_value()
        return notifications.add(project, address, body.kinds, body.name)

    @routes.post("/notifications/again", **shows(NotificationsAgain))
    @needs(Deed.OPERATE)
    def send_again(project: Project = "default") -> Json:
        return notifications.send_again(project)

    @routes.post("/notifications/{number}/remove", **shows(NotificationView))
    @needs(Deed.OPERATE)
    def remove(number: Number, project: Project = "default") -> Json:
        return notifications.remove(project, number)

    @routes.post("/notifications/{number}/test", **shows(NotificationView))
    @needs(Deed.OPERATE)
    def test(number: Number, project: Project = "default") -> Json:
        return notifications.test(project, number)

    return routes
