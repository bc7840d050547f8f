"""The answers of the API about webhooks."""

from farm.service.views import View


class WebhookView(View):
    """A webhook. `secret` is in the answer to adding it, and never shown again."""

    id: int
    project: str
    url: str
    kinds: list[str]
    created_at: float
    secret: str | None = None


class DeadLetter(View):
    """A delivery that was given up, and why."""

    id: int
    webhook: int
    event: int
    tries: int
    error: str | None


class SentAgain(View):
    """How many deliveries are queued again."""

    queued: int
