"""The answers of the API about notifications."""

from farm.service.views import View


class NotificationView(View):
    """Somebody who is told of events. No answer shows the address: it has secrets in it."""

    id: int
    project: str
    name: str
    service: str
    """As Apprise calls it."""
    kinds: list[str]
    created_at: float
    given_up: int
    """Messages that could not be delivered."""
    error: str | None
    """Why the last of them could not be."""


class NotificationsAgain(View):
    """How many messages are queued again."""

    queued: int
