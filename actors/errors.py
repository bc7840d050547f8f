"""What keeps a recipe from being painted, wherever it is found out.

SeedbedError
├── BadRequest
│   ├── PromptTooLong
│   └── WeightsChanged
└── ModelMissing
"""

from storage.errors import SeedbedError


class BadRequest(SeedbedError):
    """No worker can ever paint this."""


class PromptTooLong(BadRequest):
    """A prompt would be cut off; `text` is it."""

    def __init__(self, text: str, tokens: int, room: int) -> None:
        super().__init__(f"A prompt has {tokens} tokens and the model reads {room}: shorten {text[:80]!r}.")
        self.text = text


class WeightsChanged(BadRequest):
    """The model's folder holds other weights than those of the campaign."""


class ModelMissing(SeedbedError):
    """The model is not on this worker; it may be on another."""
