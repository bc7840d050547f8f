"""The part of the client that is about notifications."""

from farm.client.transport import Transport
from farm.service.notification_views import NotificationsAgain, NotificationView


class NotificationCalls:
    """Calls about notifications, for a class that has the transport and the project."""

    _http: Transport
    project: str

    def notifications(self) -> list[NotificationView]:
        """Those who are told of the project's events, without their addresses."""
        return self._http.get(list[NotificationView], "notifications", {"project": self.project})

    def add_notification(
        self, address: str, *, kinds: str | None = None, name: str | None = None
    ) -> NotificationView:
        """Have events told to an address as Apprise has it, like mailto://… or slack://…."""
        named = {"kinds": kinds, "name": name}
        chosen = {key: value for key, value in named.items() if value is not None}
        return self._notify("notifications", {"address": address, **chosen})

    def remove_notification(self, number: int) -> NotificationView:
        return self._notify(f"notifications/{number}/remove")

    def test_notification(self, number: int) -> NotificationView:
        """Have something told that is no event."""
        return self._notify(f"notifications/{number}/test")

    def notify_again(self) -> int:
        """Try again what could not be delivered; returns how many messages that are."""
        path, mine = "notifications/again", {"project": self.project}
        return self._http.post(NotificationsAgain, path, params=mine).queued

    def _notify(self, path: str, body: dict[str, str] | None = None) -> NotificationView:
        return self._http.post(NotificationView, path, body, params={"project": self.project})
