"""What keeps a recipe from being painted, wherever it is found out.

SeedbedError
├── BadRequest
│   ├── PromptTooLong
│   └── WeightsChanged
├── LoadFailed
│   ├── ModelMissing
│   └── PartMissing
└── Stopped
"""

from storage.errors import SeedbedError


class BadRequest(SeedbedError):
    """No worker can ever paint this."""


class Stopped(SeedbedError):
    """Somebody asked for this chunk to be left alone."""


class PromptTooLong(BadRequest):
    """A prompt would be cut off; `text` is it."""

    def __init__(self, text: str, tokens: int, room: int) -> None:
        super().__init__(
            f"A prompt has {tokens} tokens and the model reads {room}: shorten {text[:80]!r}."
        )
        self.text = text


class WeightsChanged(BadRequest):
    """The model's folder holds other weights than those of the campaign."""


class LoadFailed(SeedbedError):
    """A worker could not load the model, or not paint its first canaries; another may. The text is
    the reason alone.
    """


class PartMissing(LoadFailed):
    """An adapter, or another part beside the model, is not on this worker, or cannot be loaded;
    the text is a whole sentence.
    """


class ModelMissing(LoadFailed):
    """The model is not on this worker; it may be on another."""
