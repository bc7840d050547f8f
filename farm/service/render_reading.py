"""Reading one render: the order for it, its proof and its final, the decision about it, and the
renders around it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from actors.recipes.recipe import FILES
from farm.campaign.expansion import Expansion
from farm.campaign.specs import expansion_of
from farm.results.line import Line
from farm.results.manifest import manifest_line, planned_line
from farm.results.reproduce import campaign_of_recipe
from farm.service.control import check_number
from farm.service.neighbours import before_and_after, of_its_seed, of_its_shot, versions_of
from farm.service.prompt_list import readers_of, tokens_of
from farm.service.update import before_of, version_before
from storage.campaigns import Campaigns
from storage.errors import NotFound
from storage.reviews import Reviews
from storage.rows import CampaignRow
from storage.states import Stage
from storage.verdicts import Decision, last_about

Json = dict[str, Any]
VERSION_DIGITS = 12
_STEP = re.compile(r"\.step(\d+)\.webp$")


class RenderReading:
    """Reads single renders; changes nothing."""

    def __init__(self, *, campaigns: Campaigns, reviews: Reviews) -> None:
        self._campaigns = campaigns
        self._reviews = reviews

    def details(self, project: str, name: str, number: int, version: int | None = None) -> Json:
        """All that is known of a render of a version of a campaign, without one of the present
        one. Raises NotFound for a number that it does not have.
        """
        campaign = version_or_present(self._campaigns, project, name, version)
        expansion = expansion_of(campaign.spec)
        check_number(expansion, campaign, number)
        before, after = before_and_after(expansion, number)
        return {
            "render": planned_line(campaign, expansion, number),
            "project": project,
            "has_proofs": campaign.released is not None,
            "pictures": [_picture_json(line) for line in self._lines(campaign, number)],
            "verdict": _verdict_json(last_about(self._reviews.log(campaign.id), number)),
            "same_shot": _versions(expansion, of_its_shot(expansion, number)),
            "same_seed": [
                {"number": one, "coordinates": _labels(expansion, one)}
                for one in of_its_seed(expansion, number)
            ],
            "versions": _versions(expansion, versions_of(expansion, number)),
            "previous": before,
            "next": after,
            "before": self._before(campaign, expansion, number),
        }

    def tokens(
        self, project: str, name: str, number: int, version: int | None = None
    ) -> list[Json]:
        """For each text encoder of its model that can be opened here, the tokens of a render's
        prompt and negative, and how many it reads.
        """
        campaign = version_or_present(self._campaigns, project, name, version)
        expansion = expansion_of(campaign.spec)
        check_number(expansion, campaign, number)
        shot = expansion.render(number)[1].shot
        return [tokens_of(*reader, shot.prompt, shot.negative) for reader in readers_of(expansion)]

    def campaign_file(
        self, project: str, name: str, number: int, version: int | None = None
    ) -> str:
        """A campaign file whose only render is this one: the same recipe, under another name."""
        campaign = version_or_present(self._campaigns, project, name, version)
        expansion = expansion_of(campaign.spec)
        check_number(expansion, campaign, number)
        group_no, render = expansion.render(number)
        planned: Json = dict(planned_line(campaign, expansion, number))
        sources = {
            **{name: planned[name] for name in (*FILES, "control", "likeness", "upscale", "edit")},
            "adapters": [dict(adapter) for adapter in planned["adapters"]],
        }
        contents = campaign_of_recipe(
            expansion.recipe(group_no, render),
            name=f"{name[:60].rstrip('-')}-{number}",
            model=campaign.model,
            encoding=expansion.campaign.encoding.name,
            sources={key: value for key, value in sources.items() if value},
        )
        return yaml.safe_dump(contents, sort_keys=False, allow_unicode=True, width=99)

    def _before(self, campaign: CampaignRow, expansion: Expansion, number: int) -> Json | None:
        """The same render in the version before; None if there is none."""
        known = self._campaigns.versions(campaign.project, campaign.name)
        earlier = version_before(known, campaign.version)
        if earlier is None:
            return None
        found = before_of(expansion_of(earlier.spec), expansion, number)
        if found is None:
            return None
        return {"version": earlier.version, "number": found[0], "is_same": found[1]}

    def _lines(self, campaign: CampaignRow, number: int) -> Iterable[Line]:
        """The lines of a render that has ended, as a proof first and then as a final."""
        rows = [campaign]
        if campaign.released is not None:
            rows.insert(0, self._campaigns.proofs_of(campaign))
        for row in rows:
            try:
                yield manifest_line(self._campaigns, self._reviews, row, number)
            except NotFound:
                continue


def step_of(key: str) -> int | None:
    """The step that a preview shows, by its key."""
    found = _STEP.search(key)
    return int(found[1]) if found else None


def _picture_json(line: Line) -> Json:
    names = (
        "stage", "state", "reason", "detail", "key", "bytes", "rules", "drift", "attempts",
        "worker", "numerics_class", "seconds", "finished_at",
    )  # fmt: skip
    whole: Mapping[str, Any] = line
    return {
        **{name: whole[name] for name in names},
        "version": version_of(line),
        "steps": [step for key in line["previews"] if (step := step_of(key)) is not None],
    }


def version_of(line: Line) -> str | None:
    """A few digits that are others if a picture is. Of pictures that early versions painted no
    hash of the file was kept.
    """
    return (line["sha256"] or line["digest"])[:VERSION_DIGITS] if line["key"] else None


def version_or_present(
    campaigns: Campaigns, project: str, name: str, version: int | None
) -> CampaignRow:
    """A version of a campaign; without a number the present one. Raises NotFound."""
    if version is None:
        return campaigns.get(project, name)
    return campaigns.version(project, name, version)


def at_stage(
    campaigns: Campaigns, project: str, name: str, stage: Stage, version: int | None = None
) -> CampaignRow:
    """A campaign, or its proofs. Raises NotFound if it has none."""
    campaign = version_or_present(campaigns, project, name, version)
    return campaign if stage is Stage.FINAL else campaigns.proofs_of(campaign)


def _verdict_json(last: Decision | None) -> Json | None:
    if last is None or last.verdict is None:
        return None
    return {
        "verdict": last.verdict,
        "reason": last.reason,
        "note": last.note,
        "by": last.reviewer,
        "decided_at": last.decided_at,
    }


def _versions(expansion: Expansion, numbers: Iterable[int]) -> list[Json]:
    renders = (expansion.render(number)[1] for number in numbers)
    return [
        {"number": render.number, "version": render.version, "seed": render.seed}
        for render in renders
    ]


def _labels(expansion: Expansion, number: int) -> dict[str, str]:
    cell = expansion.cell(expansion.origin(number))
    return {axis.name: axis.label(k) for axis, k in zip(expansion.axes, cell, strict=True)}
