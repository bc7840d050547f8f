"""Files that the client uploads: those that it is given, and the references of a campaign whose
farm cannot read them by itself.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from farm.campaign.addresses import has_scheme, uploaded_address, uploaded_digest
from farm.campaign.named_files import with_references
from farm.client.transport import Transport
from farm.documents.counting import counted
from farm.service.access_views import WhoAmI
from farm.service.upload_views import UploadView
from storage.errors import NotFound, RequestError

Json = dict[str, Any]
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class UploadCalls:
    """Calls about uploaded files, for a class that has the transport and a project."""

    _http: Transport
    project: str

    def upload(self, path: str | Path) -> UploadView:
        """Upload a picture or a CSV table. Campaigns name it by the `address` in the answer. The
        same file again is kept once.
        """
        return _upload(self._http, self.project, Path(path))

    def uploads(self) -> list[UploadView]:
        """The uploaded files of the project, the newest first."""
        return self._http.get(list[UploadView], "files", {"project": self.project})

    def remove_upload(self, sha256: str) -> UploadView:
        """Remove a file. Campaigns that were submitted with it have a copy."""
        digest = quote(uploaded_digest(sha256) or sha256, safe="")
        params = {"project": self.project}
        return self._http.post(UploadView, f"files/{digest}/remove", params=params)


def with_uploads(campaign: Json, http: Transport, project: str) -> Json:
    """A campaign as it is sent. If the farm cannot read its references, those that are files here
    are uploaded, which is said on standard error.
    """
    own: dict[str, str] = {}

    def note(address: str) -> str:
        if _is_file(address):
            own[address] = address
        return address

    with_references(campaign, note)
    if not own or _reads_paths(http):
        return campaign
    count = counted(len(own), "reference is", "references are")
    sys.stderr.write(f"{count} uploaded, as the farm cannot read files of this machine.\n")
    for address in own:
        path = Path(address)
        own[address] = uploaded_address(_upload(http, project, path).sha256, path.name[:200])
    return with_references(campaign, lambda address: own.get(address, address))


def _reads_paths(http: Transport) -> bool:
    """Whether the farm is on this machine, and reads whatever file it is told."""
    is_here = urlsplit(http.url).hostname in _LOOPBACK
    return is_here and http.get(WhoAmI, "whoami").names_paths


def _is_file(address: str) -> bool:
    try:
        return not has_scheme(address) and Path(address).is_file()
    except ValueError:  # no name that a file can have
        return False


def _upload(http: Transport, project: str, path: Path) -> UploadView:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise RequestError(f"{path} cannot be read ({exc.strerror}).") from exc
    params = {"project": project}
    try:
        digest = hashlib.sha256(data).hexdigest()
        return http.get(UploadView, f"files/{digest}", params)
    except NotFound:
        answer = http.send_file("files", data, params | {"name": path.name})
        return http.read(UploadView, answer)
