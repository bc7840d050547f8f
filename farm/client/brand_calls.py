"""The part of the client that is about brand packs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from farm.campaign.brand import load_pack
from farm.client.transport import Transport

Json = dict[str, Any]


class BrandCalls:
    """Calls about brand packs, for a class that has the transport and a project."""

    _http: Transport
    project: str

    def add_brand(self, pack: str | Path | Mapping[str, Any]) -> Json:
        """Store a pack, or the file of one, and say what that did: `did` is `added`, `changed` for
        a version that no campaign has used yet, or `known`.
        """
        document = load_pack(Path(pack)).document if isinstance(pack, str | Path) else dict(pack)
        return self._http.json("POST", "brands", body={"project": self.project, "pack": document})

    def brands(self) -> list[Json]:
        """Every version of every pack of the project."""
        return self._http.items("brands", {"project": self.project})

    def brand(self, name: str, version: int | None = None) -> Json:
        """A version of a pack, the newest if none is named; `pack` has its contents."""
        params = {"project": self.project} | ({} if version is None else {"version": str(version)})
        return self._http.json("GET", f"brands/{quote(name, safe='')}", params=params)
