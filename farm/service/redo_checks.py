"""Checks of the prompt of a redo: it must pass all that the prompts of a campaign's file pass."""

from actors.models.models import Model
from farm.campaign.brand_checks import banned_in
from farm.campaign.expansion import Expansion
from farm.campaign.schema import MAX_PROMPT, Campaign
from farm.campaign.texts import text_problems
from farm.documents.characters import unprintable
from farm.documents.document import DocumentError, Problem
from farm.service.prompts import check_prompts

_PROMPT = ("prompt",)


def check_redo_prompt(expansion: Expansion, prompt: str) -> str:
    """The prompt as it is painted. Raises DocumentError if it is empty, has characters or syntax
    that a file could not have, is banned by the campaign's brand, or is too long for the model.
    """
    if char := unprintable(prompt):
        raise DocumentError([Problem(_PROMPT, f"the text has {char}.")])
    alone = _alone(expansion.campaign, prompt)
    problems = [Problem(_PROMPT, problem.message) for problem in text_problems(alone)]
    if banned := banned_in(expansion, prompt):
        problems.append(Problem(_PROMPT, banned))
    if problems:
        raise DocumentError(problems)
    check_prompts(_alone_expanded(alone, expansion.model))
    return prompt if alone.syntax == "literal" else prompt.strip()


def _alone(campaign: Campaign, prompt: str) -> Campaign:
    """A campaign of one render with this prompt, in which braces are text."""
    template = prompt.strip().replace("{", "{{").replace("}", "}}")[: 2 * MAX_PROMPT]
    changes = {"prompt": template, "negative": "", "vary": {}, "skip": (), "notes": ()}
    return campaign.model_copy(update=changes)


def _alone_expanded(alone: Campaign, model: Model) -> Expansion:
    return Expansion(alone.model_copy(update={"seeds": (0,), "reference": None}), model)
