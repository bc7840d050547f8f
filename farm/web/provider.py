"""An OpenID provider, which says who a person with a browser is (OpenID Connect Core 1.0, the code
flow with PKCE). The roles that a person has here are the farm's own.
"""

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response

from farm.service.secrets import digest_of
from storage.errors import RequestError, SeedbedError, Unauthenticated

if TYPE_CHECKING:
    from farm.config import Settings

PERSON = re.compile(r"[a-z0-9][a-z0-9._@-]{0,79}")
_SCOPE = "openid email profile"
_MISSING = (
    "FARM_OIDC_ISSUER is set, and what logging in by it needs is not installed: pip install"
    ' "seedbed[oidc]".'
)
_AWAY = "The OpenID provider does not answer as it should: try again, or ask who runs the farm."
_REFUSED = (
    "The OpenID provider did not let you in, or that took longer than ten minutes: try again."
)
_log = logging.getLogger(__name__)


class ProviderAway(SeedbedError):
    """An OpenID provider that cannot be reached, or answers with nonsense."""


class Provider:
    """The provider of one farm. Its keys and addresses are read when the first person comes."""

    def __init__(self, settings: "Settings") -> None:
        """Raises RequestError if the library for it is not installed."""
        try:
            import itsdangerous  # noqa: F401, PLC0415  # what starlette signs cookies by
            from authlib.integrations.starlette_client import (  # noqa: PLC0415  # an extra
                OAuth,
            )
        except ImportError as exc:
            raise RequestError(_MISSING) from exc
        assert settings.oidc_issuer is not None
        assert settings.oidc_client is not None
        assert settings.oidc_secret is not None
        self.issuer, self.client = settings.oidc_issuer, settings.oidc_client
        self._claim = settings.oidc_claim
        secret = settings.oidc_secret.get_secret_value()
        self.digest = digest_of(f"{self.issuer} {self.client}")
        """Logins by it end once another provider is believed."""
        self.key = digest_of(f"{self.digest} {secret}")
        """Signs what a browser keeps while its person is with the provider; the same in every
        process of the farm.
        """
        self._talk = OAuth().register(
            "openid",
            client_id=self.client,
            client_secret=secret,
            server_metadata_url=f"{self.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": _SCOPE, "code_challenge_method": "S256"},
        )

    async def send_to(self, request: Request, back: str) -> Response:
        """The answer that leads a browser to the provider, and from there to `back`. Raises
        ProviderAway.
        """
        sent: Response = await _talked(self._talk.authorize_redirect(request, back))
        return sent

    async def person(self, request: Request) -> str:
        """Whom the provider says that a browser's person is, when it comes back. Raises
        Unauthenticated for whoever was not let in, and ProviderAway.
        """
        token = await _talked(
            self._talk.authorize_access_token(
                request,
                # The library looks at neither by itself; a token for another program is no proof.
                claims_options={
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self.client},
                },
            )
        )
        if (claims := token.get("userinfo")) is None:
            raise Unauthenticated(_REFUSED)
        return person_in(claims, self._claim)


def person_in(claims: Mapping[str, Any], claim: str) -> str:
    """The name of a person among what a provider says of them. Raises Unauthenticated if it says
    none that could have a role here, or an address of which it does not know whose it is.
    """
    said = claims.get(claim)
    if not isinstance(said, str) or not PERSON.fullmatch(name := said.strip().lower()):
        raise Unauthenticated(
            f"The OpenID provider tells no {claim} that a person of this farm can have: small"
            " letters, digits, and . _ @ -. Ask who runs the farm (FARM_OIDC_CLAIM)."
        )
    if claim == "email" and claims.get("email_verified") not in (True, "true"):
        raise Unauthenticated(
            f"The OpenID provider does not say that {name} is yours: confirm it there, or ask who"
            " runs the farm (FARM_OIDC_CLAIM)."
        )
    return name


async def _talked(talk: Any) -> Any:
    """What comes of talking to the provider."""
    import httpx2  # noqa: PLC0415  # what the library talks by
    from authlib.integrations.base_client import OAuthError  # noqa: PLC0415  # an extra
    from joserfc.errors import JoseError  # noqa: PLC0415  # comes with it

    try:
        return await talk
    except (OAuthError, JoseError) as exc:
        _log.warning("somebody was not let in by the OpenID provider: %s", exc)
        raise Unauthenticated(_REFUSED) from exc
    except (httpx2.HTTPError, RuntimeError, ValueError, KeyError, TypeError) as exc:
        _log.warning("the OpenID provider failed: %s: %s", type(exc).__name__, exc)
        raise ProviderAway(_AWAY) from exc
