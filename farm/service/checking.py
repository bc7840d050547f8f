"""Checks of a campaign before it is stored. Mistakes are refused; parts that may not be meant are
warned about.
"""

from typing import Any

from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.schema import MAX_RENDERS
from farm.campaign.seeding import DERIVATION
from farm.campaign.specs import derivation_of, expansion_of, make_spec
from farm.campaign.texts import overruled
from farm.campaign.warnings import campaign_warnings
from farm.documents.document import DocumentError, Problem, problem_json
from farm.service.fit import check_fit
from farm.service.intake import Intake
from farm.service.model_warnings import model_warnings
from farm.service.prompts import check_prompts

Json = dict[str, Any]


class CampaignChecks:
    """Checks campaigns, together with the files and the model that they name."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def check(self, data: Json) -> tuple[Expansion, Json]:
        campaign = parse_campaign(data)
        model = self._intake.model(campaign.model)
        expansion = Expansion(campaign, model, derivation=DERIVATION)
        if problems := list(expansion.skipping.problems()):
            raise DocumentError(problems)
        if expansion.total == 0:
            raise DocumentError(
                [Problem(("skip",), "the rules skip every cell: the campaign has 0 renders.")]
            )
        if expansion.total > MAX_RENDERS:
            raise DocumentError(
                [
                    Problem(
                        (),
                        f"the campaign has {expansion.total:,} renders; at most {MAX_RENDERS:,}"
                        " are supported: split it.",
                    )
                ]
            )
        check_fit(expansion)
        check_prompts(expansion)
        spec = make_spec(campaign, model, self._intake.check(campaign, model), DERIVATION)
        return (
            expansion_of(spec),
            spec,
        )  # what is stored is what is read again, or nobody could paint it


def derived_as(known: Json, expansion: Expansion, spec: Json) -> tuple[Expansion, Json]:
    """A campaign with its seeds derived as those of the version that it replaces, so that no
    picture changes that both have.
    """
    if derivation_of(known) == derivation_of(spec):
        return expansion, spec
    spec = {**spec, "derivation": derivation_of(known)}
    return expansion_of(spec), spec


def warnings_of(data: Json, expansion: Expansion, derivation: int) -> list[Json]:
    campaign = expansion.campaign
    found = [
        *overruled(data, campaign),
        *campaign_warnings(campaign, derivation),
        *model_warnings(expansion),
    ]
    return [problem_json(problem) for problem in found]
