"""The answers of the API about registered models and adapters."""

from farm.service.views import View


class RegisteredView(View):
    """A version of a model or an adapter. `label` names it whatever is added later; `manifest` is
    the sha256 of the list of its files, and `bytes` are theirs. `did` is in the answer to adding
    it: `added`, or `known` if the name had this version.
    """

    kind: str
    name: str
    label: str
    digest: str
    manifest: str
    bytes: int
    pipeline: str | None
    licence: str | None
    source: str
    files: int
    added_at: float
    added_by: str | None
    did: str | None = None
