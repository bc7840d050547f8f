"""Logging in: whoever shows a token once is known by another secret from then on, for a week, and
never longer than by the token itself.
"""

from collections.abc import Collection

from farm.service.access import OPENID, Access
from farm.service.identity import Identities
from farm.service.links import LinkService
from farm.service.secrets import digest_of
from storage.errors import NotAllowed, Unauthenticated
from storage.logins import Logins

PROVIDED_S = 12 * 3600.0
"""How long a login by an OpenID provider lasts, which does not say when it has let somebody go."""
LOGIN = "login:"
"""Before the secret of a login, as no token's id begins."""
_LINK = "link:"  # before the id of a link, as no token's id or name begins


class LoginService:
    """Begins and ends logins, and finds out who is logged in."""

    def __init__(
        self,
        identities: Identities,
        logins: Logins,
        links: LinkService,
        provider: str | None = None,
    ) -> None:
        """`provider` is the digest of the OpenID provider that is believed, if there is one."""
        self._provider = provider
        self._identities = identities
        self._logins = logins
        self._links = links

    def begin(self, token: str, address: str | None) -> tuple[str, float]:
        """The secret of a new login, and how many seconds it lasts. Raises Unauthenticated for a
        token that lets nobody in.
        """
        access = self._identities.of(token, address=address)
        return self._logins.begin(access.token or access.person, digest_of(token))

    def begin_as(self, person: str) -> tuple[str, float]:
        """The same for a person whom the OpenID provider tells of. Raises NotAllowed for somebody
        without a role: only admins give those.
        """
        access = self._identities.person(person)
        if access is None or self._provider is None:
            raise NotAllowed(
                f"{person} has no role in this farm: ask who runs it for one, by that name."
            )
        return self._logins.begin(OPENID + person, self._provider, PROVIDED_S)

    def begin_by_link(
        self, secret: str, passphrase: str, address: str | None
    ) -> tuple[str, float, str]:
        """The same for whoever opens a link, with the path of its campaign's page. Raises what
        LinkService.open does.
        """
        row = self._links.open(secret, passphrase, address)
        begun, lasts_s = self._logins.begin(_LINK + row.id, row.digest)
        return begun, lasts_s, f"/campaigns/{row.project}/{row.campaign}"

    def of(self, secret: str) -> Access:
        """Whoever logged in with this secret, with the roles that they have now. Raises
        Unauthenticated if that has ended, or the token is not valid any more.
        """
        access = self.now([LOGIN + secret]).get(LOGIN + secret)
        if access is None:
            raise Unauthenticated("This login has ended: log in again.")
        return access

    def now(self, ids: Collection[str]) -> dict[str, Access]:
        """Whoever these let in, with the roles that they have now: tokens by their ids, and logins
        by LOGIN and their secrets. Those that have ended are left out.
        """
        tokens = [name for name in ids if not name.startswith(LOGIN)]
        found = self._identities.now(tokens) if tokens else {}
        begun = self._logins.find([n.removeprefix(LOGIN) for n in ids if n.startswith(LOGIN)])
        held = {shown: self._by_digest(*shown) for shown in set(begun.values())}
        logged_in = {LOGIN + secret: held[shown] for secret, shown in begun.items()}
        return found | {name: access for name, access in logged_in.items() if access is not None}

    def _by_digest(self, name: str, digest: str) -> Access | None:
        if name.startswith(OPENID):
            is_believed = digest == self._provider
            return self._identities.person(name.removeprefix(OPENID)) if is_believed else None
        if name.startswith(_LINK):
            return self._links.by_digest(name.removeprefix(_LINK), digest)
        return self._identities.by_digest(name, digest)

    def end(self, secret: str) -> None:
        self._logins.end(secret)
