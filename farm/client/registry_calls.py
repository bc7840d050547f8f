"""The part of the client that is about registered models and adapters."""

from typing import Literal
from urllib.parse import quote

from farm.client.transport import Transport
from farm.service.registry_views import RegisteredView

Kind = Literal["models", "adapters"]
_PATIENCE_S = 6 * 3600.0
"""Wall time for a model's files to be read and stored; 60 GB at 10 MB/s take less than 2 hours."""


class RegistryCalls:
    """Calls about registered models and adapters, for a class that has the transport."""

    _http: Transport

    def registered(self, kind: Kind = "models") -> list[RegisteredView]:
        """Every version, by name, the newest of each name first."""
        return self._http.get(list[RegisteredView], f"registry/{kind}")

    def register(
        self, name: str, source: str, *, like: str | None = None, kind: Kind = "models"
    ) -> RegisteredView:
        """Store the files of a model in the farm's outputs, and let a name stand for it. `source`
        is a folder of the farm's machine, a hub id at a revision, a prefix of a bucket, or a
        single-file checkpoint, with a folder that it is `like`. An adapter comes from a
        `.safetensors` file, or a folder or a prefix with exactly one.
        """
        body = {"name": name, "source": source} | ({} if like is None else {"like": like})
        return self._http.post(RegisteredView, f"registry/{kind}", body, timeout_s=_PATIENCE_S)

    def show_registered(
        self, name: str, *, digest: str | None = None, kind: Kind = "models"
    ) -> RegisteredView:
        """A version by the beginning of its digest, or the newest of a name."""
        params = {} if digest is None else {"digest": digest}
        return self._http.get(RegisteredView, f"registry/{kind}/{_quoted(name)}", params)

    def unregister(
        self, name: str, *, digest: str | None = None, kind: Kind = "models"
    ) -> list[RegisteredView]:
        """Remove a version, or all of a name, with the files that no other one needs."""
        path = f"registry/{kind}/{_quoted(name)}/remove"
        return self._http.post(list[RegisteredView], path, {"digest": digest})


def _quoted(name: str) -> str:
    return quote(name, safe="", errors="surrogatepass")
