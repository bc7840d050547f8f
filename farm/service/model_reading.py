"""The models that a farm's campaigns use, their measurements, and who has them warm."""

from collections.abc import Mapping
from typing import Any

from actors.models.families import family_of
from farm.scheduling.forecast import load_s_of
from farm.service.access import Access, Deed
from farm.service.registry import registered_json
from storage.model_history import ModelHistory, UsedModel
from storage.profiles import Profiles
from storage.registry import Registry
from storage.watching import Watching

Json = dict[str, Any]


class ModelReading:
    """Reads what the job database has of models."""

    def __init__(
        self, *, history: ModelHistory, profiles: Profiles, watching: Watching, registry: Registry
    ) -> None:
        self._history = history
        self._profiles = profiles
        self._watching = watching
        self._registry = registry

    def all(self, access: Access) -> list[Json]:
        """The models of the projects in which one may look, the last used first. The names of
        workers are for those who may see the fleet.
        """
        warm: dict[str, list[str]] = {}
        for worker in self._watching.workers():
            for digest in worker.loaded:
                warm.setdefault(digest, []).append(worker.name)
        names = access.may(Deed.SEE_FLEET)
        used = self._history.used(access.projects(Deed.LOOK))
        return [self._model(model, warm, with_names=names) for model in used]

    def adapters(self) -> list[Json]:
        """The registered adapters, by name, the newest version of each first."""
        return [registered_json(row) for row in self._registry.all("adapter")]

    def _model(self, model: UsedModel, warm: Mapping[str, list[str]], *, with_names: bool) -> Json:
        family = family_of(model.pipeline) if model.pipeline else None
        past = self._history.chunks(model.digest)
        workers = warm.get(model.digest, [])
        return {
            "digest": model.digest,
            "model": model.name,
            "family": None if family is None else family.name,
            "pipeline": model.pipeline or None,
            "campaigns": model.campaigns,
            "last_used_at": model.last_used_at,
            "seconds_per_megapixel_step": self._watching.seconds_per_megapixel_step(model.digest),
            "load_s": load_s_of(past),
            "grip": self._profiles.get(model.digest).get("grip"),
            "warm": len(workers),
            "workers": workers if with_names else None,
        }
