"""Views of uploaded files."""

from farm.service.views import View


class UploadView(View):
    """A file that was uploaded. Campaigns name it by its `address`. `kind` is `picture` or
    `table`. Times are seconds since 1970.
    """

    project: str
    sha256: str
    address: str
    kind: str
    bytes: int
    name: str | None
    key: str
    """Of its bytes, in the outputs."""
    added_at: float
    added_by: str | None
