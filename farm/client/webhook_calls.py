"""The part of the client that is about webhooks."""

from farm.client.transport import Transport
from farm.service.webhook_views import DeadLetter, SentAgain, WebhookView


class WebhookCalls:
    """Calls about webhooks, for a class that has the transport and the project."""

    _http: Transport
    project: str

    def webhooks(self) -> list[WebhookView]:
        return self._http.get(list[WebhookView], "webhooks", self._mine())

    def add_webhook(self, url: str, kinds: str | None = None) -> WebhookView:
        """Have events sent to an address. The answer has the secret that signs them, this once."""
        body = {"url": url} if kinds is None else {"url": url, "kinds": kinds}
        return self._http.post(WebhookView, "webhooks", body, params=self._mine())

    def remove_webhook(self, number: int) -> WebhookView:
        return self._http.post(WebhookView, f"webhooks/{number}/remove", params=self._mine())

    def test_webhook(self, number: int) -> WebhookView:
        """Have something sent that is no event."""
        return self._http.post(WebhookView, f"webhooks/{number}/test", params=self._mine())

    def dead_letters(self) -> list[DeadLetter]:
        """The deliveries that were given up."""
        return self._http.get(list[DeadLetter], "webhooks/dead", self._mine())

    def send_again(self) -> int:
        """Try again what was given up; returns how many deliveries that are."""
        again = self._http.post(SentAgain, "webhooks/dead/again", params=self._mine())
        return again.queued

    def _mine(self) -> dict[str, str]:
        return {"project": self.project}
