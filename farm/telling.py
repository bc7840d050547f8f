"""The routes about those who are told of events."""

from fastapi import APIRouter

from farm.api.notifications import notification_routes
from farm.api.webhooks import webhook_routes
from farm.config import Settings
from farm.dispatch.notifying import asker, checker
from farm.service.notifications import NotificationService
from farm.service.webhooks import WebhookService
from storage.database import JobDatabase
from storage.notifications import Notifications
from storage.webhooks import Webhooks


def telling_routers(settings: Settings, engine: JobDatabase) -> list[APIRouter]:
    check = checker(asker(settings.webhook_networks))
    return [
        webhook_routes(WebhookService(Webhooks(engine))),
        notification_routes(NotificationService(Notifications(engine), check)),
    ]
