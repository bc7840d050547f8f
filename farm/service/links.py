"""Links: one campaign shown to people outside, until a date. A link lets them look, or decide too,
and opens nothing else.
"""

from datetime import UTC, datetime
from typing import Any

from farm.service.access import Access, CampaignLink, Role
from farm.service.passphrases import fits, kept
from farm.service.secrets import digest_of, id_in, is_same, new_secret
from storage.author import Author, author
from storage.campaigns import Campaigns
from storage.errors import RequestError, TooManyRequests, Unauthenticated
from storage.links import MOST_TRIES, WAIT_S, LinkRow, Links

Json = dict[str, Any]
PATH = "/share"
"""The page that opens links. A link's secret stands behind `#`: browsers send that to nobody."""
USUAL_S = 7 * 86_400.0
LONGEST_S = 366 * 86_400.0
_NOBODY = digest_of("")  # what the secret of an unknown link is compared with, to take as long


class PassphraseNeeded(Unauthenticated):
    """The link is right, and asks for its passphrase."""


class LinkService:
    """The links of a farm."""

    def __init__(self, links: Links, campaigns: Campaigns) -> None:
        self._links = links
        self._campaigns = campaigns

    def create(
        self,
        project: str,
        campaign: str,
        *,
        now: float,
        name: str | None = None,
        may_review: bool = False,
        until: float | None = None,
        passphrase: str | None = None,
    ) -> Json:
        """A new link, with its secret. `until` and `now` are seconds since 1970; a link lasts for
        a week if nothing else is said. Raises NotFound, and RequestError for such a date.
        """
        self._campaigns.get(project, campaign)
        secret = new_secret()
        row = self._links.create(
            link_id=secret.id,
            digest=secret.digest,
            passphrase=None if passphrase is None else kept(passphrase),
            project=project,
            campaign=campaign,
            name=name or secret.id,
            may_review=may_review,
            expires_at=end_of(until, now),
        )
        return {**link_json(row), "path": f"{PATH}#{secret.text}"}

    def all(self, project: str, campaign: str | None = None) -> list[Json]:
        """The links of a project, or of one campaign, those that have ended too."""
        return [link_json(row) for row in self._links.of(project, campaign)]

    def revoke(self, project: str, link_id: str) -> Json:
        """End a link at once, for those too who have opened it. Raises NotFound."""
        return link_json(self._links.revoke(project, link_id))

    def open(self, secret: str, passphrase: str, address: str | None) -> LinkRow:
        """The link that a secret opens. Raises PassphraseNeeded if it asks for another passphrase,
        Unauthenticated for what opens nothing, TooManyRequests after too many wrong passphrases.
        """
        link_id = id_in(secret)
        row = None if link_id is None else self._links.find(link_id)
        if not is_same(secret, _NOBODY if row is None else row.digest) or row is None:
            raise Unauthenticated("This link opens nothing: look whether all of it was copied.")
        if not row.is_valid:
            raise Unauthenticated(_ended(row))
        self._check_passphrase(row, passphrase)
        author.set(Author(name=person_of(row), token_id=row.id, address=address))
        self._links.note_opened(row.id)
        return row

    def _check_passphrase(self, row: LinkRow, passphrase: str) -> None:
        if row.passphrase is None:
            return
        if not passphrase:
            raise PassphraseNeeded("Whoever sent you this link has a passphrase for it.")
        if not self._links.take_try(row.id):
            raise TooManyRequests(
                f"{MOST_TRIES} passphrases were wrong: try again in {WAIT_S / 60:.0f} minutes."
            )
        if not fits(passphrase, row.passphrase):
            raise PassphraseNeeded("This is not the passphrase of the link.")

    def by_digest(self, link_id: str, digest: str) -> Access | None:
        """Whoever has opened the link of that id and digest; None if it has ended."""
        row = self._links.find(link_id)
        if row is None or row.digest != digest or not row.is_valid:
            return None
        return _access(row)


def end_of(until: float | None, now: float) -> float:
    """When a link ends. Raises RequestError for a date that is past, or too far away."""
    if until is None:
        return now + USUAL_S
    if until <= now:
        raise RequestError("A link must end in the future: choose a later date.")
    if until > now + LONGEST_S:
        raise RequestError("A link lasts for 366 days at most: choose an earlier date.")
    return until


def person_of(row: LinkRow) -> str:
    """How the log and reviews name whoever has opened a link. No person has a colon."""
    return f"link:{row.name}"


def link_json(row: LinkRow) -> Json:
    """A link as the API shows it."""
    state = "revoked" if row.revoked_at is not None else "valid" if row.is_valid else "expired"
    return {
        "id": row.id,
        "project": row.project,
        "campaign": row.campaign,
        "name": row.name,
        "may_review": row.may_review,
        "has_passphrase": row.passphrase is not None,
        "state": state,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
        "opened_at": row.opened_at,
    }


def _access(row: LinkRow) -> Access:
    role = Role.REVIEWER if row.may_review else Role.VIEWER
    link = CampaignLink(id=row.id, project=row.project, campaign=row.campaign)
    return Access(person=person_of(row), roles={row.project: role}, link=link)


def _ended(row: LinkRow) -> str:
    if row.revoked_at is not None:
        return "This link was taken back: ask whoever sent it to you for another."
    at = datetime.fromtimestamp(row.expires_at, UTC)
    return f"This link ended on {at:%Y-%m-%d %H:%M} UTC: ask whoever sent it to you for another."
