"""Text encoders' answers, remembered: a campaign says the same few hundred things thousands of
times.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from actors.painting.loaded_pipeline import Embedding

# Of the device's own memory. Stable Diffusion takes 0.2 MB a prompt in float32, Flux, whose T5
# reads 512 tokens, 8 MB.
_BYTES_KEPT = 256 * 1024**2


class Embeddings:
    """Embeddings by what they are of, the least recently used giving way when they grow too large
    together.
    """

    def __init__(self, room: int = _BYTES_KEPT) -> None:
        self.computed = 0
        self._room = room
        self._bytes = 0
        self._kept: OrderedDict[Hashable, Embedding] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], Embedding]) -> Embedding:
        if key not in self._kept:
            self._kept[key] = compute()
            self.computed += 1
            self._bytes += _bytes(self._kept[key])
            while self._bytes > self._room and len(self._kept) > 1:
                self._bytes -= _bytes(self._kept.popitem(last=False)[1])
        self._kept.move_to_end(key)
        return self._kept[key]


def _bytes(embedding: Embedding) -> int:
    return sum(tensor.nbytes for tensor in embedding.values())
