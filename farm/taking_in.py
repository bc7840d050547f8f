"""The intake of campaigns put together: files, uploads, and registered models."""

from actors.models.cache import WeightsCache
from farm.config import Settings, cache_folder
from farm.service.adapter_intake import AdapterIntake
from farm.service.beside_intake import BesideIntake
from farm.service.intake import Intake
from farm.service.local_files import LocalFiles
from farm.service.model_sources import ModelSources
from farm.service.registered import RegisteredModels
from farm.service.registry import RegistryService
from farm.service.uploads import UploadService
from farm.stores import Stores
from storage.store import bucket_of


def intake_of(
    settings: Settings, stores: Stores, files: LocalFiles, uploads: UploadService
) -> Intake:
    registered = RegisteredModels(stores.registry, stores.outputs, cache_folder(settings))
    limit = settings.fleet_settings().cache_bytes
    cache = WeightsCache(cache_folder(settings), stores.outputs, limit=limit)
    return Intake(
        stores.outputs, buckets=settings.reference_buckets, s3_style=settings.s3_style,
        files=files, registered=registered, uploads=uploads,
        adapters=AdapterIntake(files=files, registered=registered, cache=cache),
        beside=BesideIntake(files=files, registered=registered),
    )  # fmt: skip


def registry_of(settings: Settings, stores: Stores, files: LocalFiles) -> RegistryService:
    own = bucket_of(stores.outputs.address)
    sources = ModelSources(
        files=files,
        folder=cache_folder(settings),
        buckets={*settings.reference_buckets, *([own] if own else [])},
        s3_style=settings.s3_style,
    )
    return RegistryService(stores.registry, stores.outputs, sources)
