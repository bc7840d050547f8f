"""Settings: read once from the environment (FARM_…), checked, and passed down in pieces. No other
file reads settings from it.
"""

import math
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import SettingsConfigDict, SettingsError

from actors.fleet.settings import FleetSettings
from farm.home import Home, short_digest
from farm.setting_groups import HOST, Caching, LoggingIn, Telling
from storage.errors import RequestError
from storage.outputs import open_outputs
from storage.redaction import password_in, secrets_in
from storage.store import SCHEME, Outputs, is_text

if TYPE_CHECKING:
    from farm.scheduling.values import Limits, Pool


class Settings(Telling, Caching, LoggingIn):
    """Everything that can be set. Each field is read from FARM_ and its name in capitals, like
    FARM_HOME.
    """

    model_config = SettingsConfigDict(env_prefix="FARM_", frozen=True, extra="forbid")

    home: Path = Field(
        default_factory=lambda: user_data_path("seedbed"),
        description="Where the farm keeps its state.",
    )
    project: str = Field(
        "default",
        description="The project that campaigns are submitted to.",
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=80,
    )
    database_url: str | None = Field(
        None, repr=False,
        description="The job database: a PostgreSQL server; SQLite in the home when not given.",
    )  # fmt: skip
    outputs: str | None = Field(
        None,
        description=(
            "Where pictures go: a folder or s3://bucket/prefix; `outputs` in the home when not"
            " given."
        ),
    )
    s3_style: Literal["auto", "path", "virtual"] = Field(
        "auto", description="How buckets are named in requests to S3."
    )
    reference_buckets: tuple[str, ...] = Field(
        (),
        description=(
            "Buckets that references may come from beside the outputs' own, as a JSON list."
        ),
    )
    allowed_paths: tuple[Path, ...] | None = Field(
        None,
        description=(
            "Folders whose models, references and adapters may be named over the network, as a"
            " JSON list; when not given, any on loopback and none elsewhere."
        ),
    )
    url: str = Field("http://127.0.0.1:8600", description="The farm that commands speak to.")
    host: str = Field(
        HOST,
        description="The address that `farm up` serves on; any but loopback needs a token.",
    )
    port: int = Field(8600, description="The port that `farm up` serves on.", ge=0, le=65535)
    token: SecretStr | None = Field(
        None,
        description="What whoever speaks to the farm must show; commands show it too.",
        min_length=16,
    )
    rate: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour)$")] = Field(
        "12000/minute", description="How often one token, or one address, may ask the API."
    )
    ray: str = Field(
        "local",
        description="The Ray cluster: `local` to start one, or the address of a running one.",
    )
    workers: int | None = Field(
        None,
        description=(
            "How many workers at most; when not given, what FARM_FLEET allows, or as many as GPUs"
            " or cores here."
        ),
        ge=1,
        le=100_000,
    )
    floor: int = Field(
        0, description="How many workers to keep even if nothing waits.", ge=0, le=100_000
    )
    idle: float = Field(300.0, description="Seconds without work after which a worker goes.", ge=0)
    fleet: Path | None = Field(
        None,
        description=(
            "The file with the pools that workers are asked from; one pool when not given."
        ),
    )
    notices: str | None = Field(
        None,
        description="The cloud whose notices workers look out for: `aws`.",
        pattern=r"^aws(=https?://[A-Za-z0-9.:\[\]-]+)?$",
    )
    gcs: str | None = Field(
        None, description="The address of Ray's head if FARM_RAY is another, as host:port."
    )
    threads: int = Field(
        1, description="CPU threads of each worker. It decides pixels on a CPU.", ge=1, le=256
    )
    device: str | None = Field(None, description="cpu or cuda; found when not given.")
    gpu: float | None = Field(
        None,
        description=(
            "The share of a GPU that each worker takes: 1 if there are any, when not given."
        ),
        gt=0,
        le=8,
    )
    memory: float | None = Field(
        None,
        description=(
            "Gigabytes that a worker's warm pipelines may take; nine tenths of its GPU when not"
            " given."
        ),
        gt=0,
    )
    shares: dict[str, float] = Field(
        default_factory=dict,
        description="Weights of projects in sharing the fleet, as JSON; 1 for those not named.",
    )
    quotas: dict[str, int] = Field(
        default_factory=dict,
        description=(
            "The most workers that projects may have at a time, as JSON; no limit for those not"
            " named."
        ),
    )
    stuck: float = Field(
        600.0, description="Seconds without a step after which a worker is taken for stuck.", gt=0
    )
    rest: float | None = Field(
        None,
        description=(
            "Seconds to rest for each batch instead of painting it, to measure the farm itself."
        ),
        ge=0,
    )
    rest_spread: float = Field(
        1.0,
        description="The longest of these rests over the shortest; FARM_REST is the middle.",
        ge=1,
        le=1000,
    )
    log: Literal["auto", "json", "text"] = Field(
        "auto",
        description=(
            "How `farm up` shows its log: every event as a line of `json`, or warnings as `text`;"
            " `auto` is text on a terminal, else json."
        ),
    )
    chunk: int | None = Field(
        None,
        description="Renders in a chunk; about a minute of work when not given.",
        ge=1,
        le=100_000,
    )

    @field_validator("home", "fleet", "cache")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("allowed_paths")
    @classmethod
    def _all_absolute(cls, value: tuple[Path, ...] | None) -> tuple[Path, ...] | None:
        return None if value is None else tuple(path.expanduser().absolute() for path in value)

    @field_validator("outputs")
    @classmethod
    def _place(cls, value: str | None) -> str | None:
        if value is None or value.startswith(SCHEME):
            return value
        return str(Path(value).expanduser().absolute())

    @field_validator("home", "fleet", "cache", "outputs", "database_url", "allowed_paths")
    @classmethod
    def _text(cls, value: Any) -> Any:
        if not is_text(str(value)):
            raise ValueError(
                f"{str(value)!r} is not text in the character set of this environment: set"
                " LC_ALL=C.UTF-8, or choose another name"
            )
        return value

    @field_validator("shares")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        for name, weight in value.items():
            if not 0 < weight < 1e6:
                raise ValueError(f"the weight of {name} must be a number above 0, not {weight}.")
        return value

    @field_validator("quotas")
    @classmethod
    def _counts(cls, value: dict[str, int]) -> dict[str, int]:
        for name, quota in value.items():
            if not 1 <= quota <= 100_000:
                raise ValueError(
                    f"the quota of {name} must be a number of workers from 1 to 100,000, not"
                    f" {quota}."
                )
        return value

    @property
    def secret(self) -> str | None:
        """The token in the clear, for whoever has to show it or look at it."""
        return None if self.token is None else self.token.get_secret_value()

    @property
    def database_address(self) -> str:
        return self.database_url or Home(self.home).database_address

    @property
    def outputs_address(self) -> str:
        return self.outputs or str(Home(self.home).outputs)

    def open_outputs(self) -> Outputs:
        return open_outputs(self.outputs_address, s3_style=self.s3_style)

    def pools(self) -> "list[Pool]":
        """The pools that supply workers. Raises RequestError if the fleet file cannot be used."""
        from farm.fleet_file import load_fleet  # noqa: PLC0415  # the policy: for who decides alone
        from farm.scheduling.values import Pool  # noqa: PLC0415  # likewise

        if self.fleet is None:
            return [Pool()]
        return [pool.pool() for pool in load_fleet(self.fleet).pools]

    def limits(self) -> "Limits":
        from farm.fleet_file import load_fleet  # noqa: PLC0415  # as above
        from farm.scheduling.values import Limits  # noqa: PLC0415  # as above

        price = math.inf if self.fleet is None else load_fleet(self.fleet).price_per_hour
        fleet_size = self.fleet_settings().fleet_size
        return Limits(floor=self.floor, ceiling=fleet_size, price=price, idle_s=self.idle)

    def fleet_settings(self) -> FleetSettings:
        gpus = cuda_devices() if self.device != "cpu" else 0
        return FleetSettings(
            address=self.ray,
            namespace=_namespace(self),
            outputs=self.outputs_address,
            s3_style=self.s3_style,
            device=self.device,
            threads=self.threads,
            gpus=self.gpu or (1.0 if gpus or self.device == "cuda" else 0.0),
            stuck_s=self.stuck,
            rest_s=self.rest,
            rest_spread=self.rest_spread,
            notices=self.notices,
            gcs=self.gcs,
            memory_bytes=None if self.memory is None else int(self.memory * 2**30),
            cache=str(cache_folder(self)),
            cache_bytes=None if self.cache_size is None else int(self.cache_size * 2**30),
            fleet_size=self.workers or _default_size(self, gpus),
        )


def cache_folder(settings: Settings) -> Path:
    """The folder of registered models on this machine."""
    return settings.cache or Home(settings.home).cache


def _default_size(settings: Settings, gpus: int) -> int:
    """All that the pools of a cluster allow, or as many as this machine has room for."""
    if settings.fleet is not None and settings.ray != "local":
        return max(1, sum(pool.limit for pool in settings.pools()))
    return gpus or max(1, (os.cpu_count() or 1) // settings.threads)


def _namespace(settings: Settings) -> str:
    """The Ray namespace of the workers. A dispatcher that takes over the database finds them by
    it, so it differs for workers that write to another place, are of another kind of device, or
    are of another version.
    """
    from storage.database import (  # noqa: PLC0415
        shown_address,
    )  # SQLAlchemy: commands beside a running farm need none

    workers = (
        f"{settings.outputs_address} {settings.device} {settings.threads} {settings.rest}"
        f" {version('seedbed')}"
    )
    database = short_digest(shown_address(settings.database_address))
    return f"farm-{database}-{short_digest(workers)}"


def dispatcher_environment(settings: Settings) -> dict[str, str]:
    """The environment of the dispatcher, complete: Ray reads how to authenticate from it when it
    is imported. A cluster that the farm starts itself gets a new token.
    """
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    if settings.ray == "local":
        token = Home(settings.home).new_cluster_token()
        environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    return environment


def known_secrets(settings: Settings) -> set[str]:
    """What no log may show: the token, and every password and key of the environment."""
    passwords = {password_in(settings.database_address), password_in(settings.url)}
    oidc = None if settings.oidc_secret is None else settings.oidc_secret.get_secret_value()
    own = {secret for secret in (settings.secret, oidc, *passwords) if secret}
    return own | secrets_in(os.environ)


def cuda_devices() -> int:
    """How many NVIDIA devices the driver shows, without loading torch."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def read_settings(**given: Any) -> Settings:
    """Settings from the environment, with what a command line gave on top. Raises RequestError for
    values that cannot be.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except RuntimeError as exc:  # of pathlib and platformdirs, for ~
        raise RequestError(
            f"This user has no home folder ({exc}): set FARM_HOME to a folder, and write paths"
            " without ~."
        ) from exc
    except SettingsError as exc:  # says which variable, and nothing that a person could use
        raise RequestError(
            f"A setting cannot be read as JSON: {exc}. FARM_SHARES and FARM_QUOTAS are written"
            ' like {"acme": 2}, FARM_PROXIES, FARM_REFERENCE_BUCKETS and FARM_ALLOWED_PATHS like'
            ' ["brand"].'
        ) from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        if not first["loc"]:  # several settings that do not go together
            raise RequestError(str(first["ctx"]["error"])) from exc
        name = str(first["loc"][0])
        raise RequestError(
            f"The setting {name} (FARM_{name.upper()}) cannot be used: {first['msg']}."
        ) from exc
