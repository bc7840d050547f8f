"""The part of the client that is about denoising steps and drift."""

from collections.abc import Sequence
from urllib.parse import quote

from farm.client.transport import Transport
from farm.service.model_views import ModelInUse
from farm.service.step_views import Calibrated, ModelProfile, PrunedPreviews, Savings


class StepCalls:
    """Calls about steps and drift, for a class that has the transport and a project."""

    _http: Transport
    project: str

    def filmstrip(self, name: str, *, where: Sequence[str] = ()) -> bytes:
        """The steps of each picture side by side, as PNG; with conditions like `product=mug`, of
        those that they choose.
        """
        params = {"project": self.project} | ({"where": "\n".join(where)} if where else {})
        path = f"campaigns/{quote(name, safe='')}/steps"
        return self._http.request("GET", path, params=params).content

    def prune_previews(
        self,
        older_than_s: float | None = None,
        *,
        names: Sequence[str] = (),
        dry_run: bool = False,
    ) -> PrunedPreviews:
        """Remove the previews of campaigns of the project that have been over for so long, or of
        those named; their pictures stay. The answer has `campaigns` with their numbers of
        `files`, and those `spared` and why.
        """
        body = {"project": self.project, "names": list(names), "dry_run": dry_run}
        age = {} if older_than_s is None else {"older_than_s": older_than_s}
        return self._http.post(PrunedPreviews, "prune/previews", body | age)

    def calibrate_drift(self, name: str, limit: float | None = None) -> Calibrated:
        """How well the looks at each step tell where pictures end; the farm remembers it for the
        campaign's model. Without a limit, the campaign's own counts.
        """
        path = f"campaigns/{quote(name, safe='')}/calibrate"
        body = {} if limit is None else {"limit": limit}
        return self._http.post(Calibrated, path, body, params={"project": self.project})

    def drift_savings(self, name: str) -> Savings:
        """What stopping pictures early has saved of a campaign's device time."""
        path = f"campaigns/{quote(name, safe='')}/drift"
        return self._http.get(Savings, path, {"project": self.project})

    def models(self) -> list[ModelInUse]:
        """The models of one's projects, the last used first, and who has them warm."""
        return self._http.get(list[ModelInUse], "models")

    def model_profile(self, digest: str) -> ModelProfile:
        """The measurements of the model with these weights."""
        return self._http.get(ModelProfile, f"models/{digest}")

    def learn_grip(self, digest: str, grip: float, measure: str) -> ModelProfile:
        """Have the farm remember how much of a composition a seed decides, by a measure."""
        body = {"grip": grip, "measure": measure}
        return self._http.post(ModelProfile, f"models/{digest}", body)
