"""Settings in groups: each is what concerns one part of the farm. `farm.config` reads them."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

HOST = "127.0.0.1"
LOOPBACK = (HOST, "localhost", "::1")
_ADDRESS = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"


class Telling(BaseSettings):
    """What concerns events and those who hear of them."""

    events_days: float = Field(
        30.0,
        description="Days after which events that nobody made are removed; the audit log stays.",
        gt=0,
    )
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (),
        description="Own networks that webhooks and notifications may lead to, as JSON.",
    )


class Caching(BaseSettings):
    """What concerns the registered models that nodes keep."""

    cache: Path | None = Field(
        None,
        description=(
            "Where each node keeps registered models; `cache` in the home when not given."
        ),
    )
    cache_size: float | None = Field(
        None,
        description=(
            "Gigabytes that they may take there; all but a tenth of the disk when not given."
        ),
        gt=0,
    )


class LoggingIn(BaseSettings):
    """What concerns people with browsers."""

    address: str | None = Field(
        None,
        description="Where browsers find the farm, if a proxy stands before it: https://….",
        pattern=_ADDRESS,
    )
    proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        (),
        description="Own proxies before the farm, by address or network, as a JSON list.",
    )
    oidc_issuer: str | None = Field(
        None,
        description="The OpenID provider that people log in with, by its own name: https://….",
        pattern=_ADDRESS,
    )
    oidc_client: str | None = Field(
        None, description="The name by which that provider knows the farm.", min_length=1
    )
    oidc_secret: SecretStr | None = Field(
        None, description="The secret that the provider gave the farm.", min_length=1
    )
    oidc_claim: str = Field(
        "email",
        description="What the provider says of a person that names them here.",
        pattern=r"^[A-Za-z0-9_:/.-]{1,100}$",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        told = (self.oidc_issuer, self.oidc_client, self.oidc_secret)
        if any(told) and not all(told):
            raise ValueError(
                "FARM_OIDC_ISSUER, FARM_OIDC_CLIENT and FARM_OIDC_SECRET go together: set all of"
                " them, or none."
            )
        issuer = urlsplit(self.oidc_issuer or "https:")
        if issuer.scheme != "https" and issuer.hostname not in LOOPBACK:
            raise ValueError("FARM_OIDC_ISSUER must begin with https://.")
        return self
