"""The steps of a campaign's pictures: shown, and used to find out how early drift can be told."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice

from actors.recipes.recipe import Json
from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of, proof_key_of
from farm.results.filmstrip import MAX_STRIPS, draw_strips
from farm.results.line import Line
from farm.results.manifest import manifest_line, manifest_lines
from farm.results.steps import Strip, Strips
from farm.results.where import read_conditions, resolve
from farm.scheduling.drift import calibrated, wrongly_stopped
from farm.service.render_reading import version_or_present
from storage.campaigns import Campaigns
from storage.errors import Conflict, RequestError
from storage.layouts import Layouts
from storage.profiles import Profiles
from storage.reviews import Reviews
from storage.rows import CampaignRow
from storage.states import RenderState
from storage.store import Outputs
from storage.watching import Watching

MOST_PICTURES = 5_000
"""Whose looks a calibration reads: more change nothing that can be seen."""


class StepReading:
    """Reads previews of one farm's campaigns."""

    def __init__(
        self,
        *,
        campaigns: Campaigns,
        reviews: Reviews,
        layouts: Layouts,
        profiles: Profiles,
        outputs: Outputs,
        watching: Watching | None = None,
    ) -> None:
        """Without `watching`, no model has a measured pace."""
        self._watching = watching
        self._campaigns = campaigns
        self._reviews = reviews
        self._layouts = layouts
        self._profiles = profiles
        self._outputs = outputs

    def filmstrip(self, project: str, name: str, where: Sequence[str] = ()) -> bytes:
        """The steps of all pictures that conditions like `product=mug` choose, as PNG."""
        campaign = self._campaigns.get(project, name)
        strips = list(islice(self._strips(campaign, where), MAX_STRIPS + 1))
        return draw_strips(strips, campaign.name)

    def looks(self, project: str, name: str, number: int, version: int | None = None) -> Json:
        """The steps of one render with their drift from its anchor, the finished picture last."""
        campaign = version_or_present(self._campaigns, project, name, version)
        line = manifest_line(self._campaigns, self._reviews, campaign, number)
        looks = self._strip(campaign, expansion_of(campaign.spec), line).looks
        told = [
            {"step": look.step, "drift": look.drift} for look in looks if look.pixels is not None
        ]
        return {"number": number, "looks": told}

    def calibrate(self, project: str, name: str, limit: float | None) -> Json:
        """What each step's looks tell about where pictures end, beyond a limit that is the
        campaign's own if none is given; remembered for the campaign's model. Raises RequestError
        if there is no limit, or nothing to calibrate by.
        """
        campaign = self._campaigns.get(project, name)
        drift = expansion_of(campaign.spec).campaign.drift
        limit = limit or (drift.limit if drift else None)
        if limit is None:
            raise RequestError(
                f"The campaign {name} has no limit of drift: give one with --limit, like 0.3."
            )
        by_fraction: dict[float, list[tuple[float, float]]] = defaultdict(list)
        expansion = expansion_of(campaign.spec)
        finished = (s for s in self._strips(campaign) if s.final.drift is not None)
        for strip in islice(finished, MOST_PICTURES):
            made = expansion.group(expansion.group_of(strip.number)).steps_made
            for look in strip.looks[:-1]:
                if look.drift is not None and look.step is not None:
                    pair = (look.drift, strip.final.drift or 0.0)
                    by_fraction[round(look.step / made, 3)].append(pair)
        if not by_fraction:
            raise Conflict(
                f"The campaign {name} has nothing to calibrate by: it needs finished pictures that"
                " have previews and an anchor."
            )
        steps = {
            f"{fraction:g}": asdict(calibrated(pairs, limit))
            for fraction, pairs in sorted(by_fraction.items())
        }
        usable = {at: found for at, found in steps.items() if found["limit"] is not None}
        known = self._profiles.get(campaign.model_digest).get("stops", {})
        self._profiles.learn(campaign.model_digest, {"stops": {**known, **usable}})
        return {"campaign": name, "model": campaign.model, "limit": limit, "steps": steps}

    def savings(self, project: str, name: str) -> Json:
        """What stopping has saved of a campaign's device time, and how many pictures would have
        ended within its limit all the same, by the calibration of its model; None without one.
        """
        campaign = self._campaigns.get(project, name)
        drift = expansion_of(campaign.spec).campaign.drift
        stopped, saved_s = self._layouts.savings(campaign.id)
        stops = self._profiles.get(campaign.model_digest).get("stops", {})
        known = stops.get(f"{drift.at:g}", {}) if drift and drift.limit else {}
        wrongly = None
        if known and drift and drift.limit and known["limit"] <= drift.limit:
            wrongly = wrongly_stopped(stopped, campaign.done, known["false_stops"])
        return {
            "campaign": name,
            "limit": drift.limit if drift else None,
            "action": drift.action if drift else None,
            "stopped": stopped,
            "saved_s": round(saved_s, 3),
            "device_s": round(campaign.device_s, 3),
            "wrongly_stopped": wrongly,
        }

    def profile(self, digest: str) -> Json:
        """The measurements of a model."""
        return self._shown(digest, self._profiles.get(digest))

    def learn(self, digest: str, measured: Json) -> Json:
        """Remember what was measured of a model; returns all that is known."""
        return self._shown(digest, self._profiles.learn(digest, measured))

    def _shown(self, digest: str, profile: Json) -> Json:
        watching = self._watching
        return {
            "digest": digest,
            "grip": profile.get("grip"),
            "measure": profile.get("measure"),
            "stops": profile.get("stops", {}),
            "seconds_per_megapixel_step": (
                watching.seconds_per_megapixel_step(digest) if watching else None
            ),
        }

    def _strips(self, campaign: CampaignRow, where: Sequence[str] = ()) -> Iterator[Strip]:
        lines = partial(manifest_lines, self._campaigns, self._reviews, campaign)
        chosen = resolve(read_conditions(where), lines()) if where else None
        expansion = expansion_of(campaign.spec)
        for line in lines():
            if not line["previews"] or line["state"] == RenderState.FAILED:
                continue
            if chosen is not None and not chosen.chooses(line):
                continue
            yield self._strip(campaign, expansion, line)

    def _strip(self, campaign: CampaignRow, expansion: Expansion, line: Line) -> Strip:
        proofs, number = {}, line["number"]
        if expansion.campaign.proof is not None:
            kind = expansion.campaign.encoding.format
            render = expansion.render(number)[1]
            proofs = {number: proof_key_of(campaign, expansion, render, kind)}
        medians = self._layouts.anchors(campaign.id, [line["seed"]])
        return Strips(self._outputs, campaign.project, medians, proofs).read(line)
