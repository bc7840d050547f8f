"""Checks of a campaign before it is stored. Mistakes are refused; parts that may not be meant are
warned about.
"""

from dataclasses import asdict
from typing import Any

from actors.models.models import Model
from farm.campaign.brand import Brand, with_brand
from farm.campaign.brand_checks import violations
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.schema import MAX_RENDERS, Campaign
from farm.campaign.seeding import DERIVATION
from farm.campaign.specs import expansion_of, make_spec
from farm.campaign.stages import proof_campaign, proof_warnings
from farm.campaign.texts import overruled
from farm.campaign.warnings import campaign_warnings
from farm.documents.document import MAX_TOLD, DocumentError, Problem, problem_json
from farm.scheduling.spending import NO_PRICES, Prices
from farm.service.brands import BrandService
from farm.service.drift_fit import calibrated_campaign, drift_problems, drift_warnings
from farm.service.fit import check_fit
from farm.service.intake import Intake
from farm.service.model_warnings import model_warnings
from farm.service.prompts import check_prompts
from storage.profiles import Profiles

Json = dict[str, Any]
_NO_PRICES = (
    "no pool of this farm has a price, so nobody could say when it is spent: write price_per_hour"
    " in the fleet file (FARM_FLEET), or give the budget as gpu_hours."
)


class CampaignChecks:
    """Checks campaigns, together with the files and the model that they name."""

    def __init__(
        self,
        intake: Intake,
        brands: BrandService,
        profiles: Profiles | None = None,
        prices: Prices = NO_PRICES,
    ) -> None:
        """Without `profiles`, nothing that was measured of models is known."""
        self._prices = prices
        self._intake = intake
        self._brands = brands
        self._profiles = profiles

    def check(self, project: str, data: Json) -> tuple[Expansion, Json]:
        data = self._intake.with_tables(project, data)
        brand = self._brands.brand_of(project, data.get("brand"))
        written = parse_campaign(data, pack=brand.contents if brand else None)
        campaign = branded(written, brand)
        if campaign.budget_money is not None and not self._prices:
            raise DocumentError([Problem(("budget", "money"), _NO_PRICES)])
        model = self._intake.model(campaign.model)
        profile = self._profiles.get(model.digest) if self._profiles else {}
        campaign = calibrated_campaign(campaign, profile)
        expansion = Expansion(campaign, model, derivation=DERIVATION, brand=brand)
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
        sources = None
        if brand is not None:
            sources = self._intake.check(project, campaign, model)
            whole = Expansion(campaign, model, sources, DERIVATION, brand)
            if found := violations(whole, brand.contents, written):
                raise DocumentError(found, most=MAX_TOLD)
        check_fit(expansion)
        if campaign.proof is not None:
            _check_proofs(campaign, model)
        if found := list(drift_problems(expansion, profile)):
            raise DocumentError(found)
        check_prompts(expansion)
        sources = sources or self._intake.check(project, campaign, model)
        spec = make_spec(campaign, model, sources, DERIVATION, brand)
        return (
            expansion_of(spec),
            spec,
        )  # what is stored is what is read again, or nobody could paint it


def branded(written: Campaign, brand: Brand | None) -> Campaign:
    """A campaign with what its brand adds, which it names by the version."""
    if brand is None:
        return written
    return with_brand(written, brand.contents).model_copy(update={"brand": brand.label})


def branded_as(brand: Brand, spec: Json) -> tuple[Expansion, Json]:
    """A campaign with the version of its brand's pack that was stored for it."""
    campaign = {**spec["campaign"], "brand": brand.label}
    spec = {**spec, "campaign": campaign, "brand": asdict(brand)}
    return expansion_of(spec), spec


def _check_proofs(campaign: Campaign, model: Model) -> None:
    """Raise DocumentError, at `proof`, if the model cannot paint the proofs as they are asked
    for.
    """
    try:
        check_fit(Expansion(proof_campaign(campaign), model, derivation=DERIVATION))
    except DocumentError as exc:
        raise DocumentError(
            [Problem(("proof", *problem.path[1:]), problem.message) for problem in exc.problems]
        ) from None


def warnings_of(data: Json, expansion: Expansion, derivation: int) -> list[Json]:
    campaign = expansion.campaign
    found = [
        *overruled(data, campaign),
        *campaign_warnings(campaign, derivation),
        *model_warnings(expansion),
        *proof_warnings(campaign, campaign.settings.size or expansion.model.size),
        *drift_warnings(expansion),
    ]
    return [problem_json(problem) for problem in found]
