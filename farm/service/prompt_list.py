"""All that a campaign says to its model, each prompt once, and how much of it the model reads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.models.model_files import components_of
from actors.models.tokenizers import TextTokenizer, open_tokenizer, room_of
from farm.campaign.banned import Banned
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.seeding import DERIVATION
from farm.service.brands import BrandService
from farm.service.checking import branded
from farm.service.intake import Intake

Json = dict[str, Any]
LOOKED_AT = 200_000
"""Shots whose prompts are worked out at most: a few seconds."""


class PromptLists:
    """Lists the prompts of campaigns that need not be submitted."""

    def __init__(self, intake: Intake, brands: BrandService) -> None:
        self._intake = intake
        self._brands = brands

    def list(self, project: str, data: Json, limit: int) -> Json:
        """The first `limit` prompts of a campaign that differ, with their negatives: for each text
        encoder the tokens and the most that it reads, and the words that the brand bans. `more`
        says whether there are others. Raises DocumentError for a campaign that cannot be read.
        """
        brand = self._brands.brand_of(project, data.get("brand"))
        written = parse_campaign(data, pack=brand.contents if brand else None)
        campaign = branded(written, brand)
        model = self._intake.model(campaign.model)
        sources = self._intake.check(project, campaign, model)
        expansion = Expansion(campaign, model, sources, DERIVATION, brand)
        banned = brand.contents.banned_words if brand else Banned(())
        readers = list(readers_of(expansion))
        told: list[Json] = []
        has_more = False
        for prompt, negative in _texts(expansion):
            has_more = len(told) == limit
            if has_more:
                break
            tokens = [tokens_of(*reader, prompt, negative) for reader in readers]
            told.append(
                {
                    "prompt": prompt,
                    "negative": negative,
                    "tokens": tokens,
                    "banned": banned.find(prompt),
                }
            )
        return {
            "campaign": campaign.name,
            "brand": campaign.brand,
            "prompts": told,
            "more": has_more,
        }


def _texts(expansion: Expansion) -> Iterator[tuple[str, str]]:
    """Each prompt with its negative once, in the order of the shots."""
    seen: set[tuple[str, str]] = set()
    per_shot, looked_at = expansion.seeds_per_shot, 0
    for group_no in range(expansion.groups):
        for shot_no in range(expansion.shots_in_group(group_no)):
            looked_at += 1
            if looked_at > LOOKED_AT:
                return
            start = shot_no * per_shot
            render = next(expansion.renders(group_no, start, start + per_shot), None)
            if render is None:
                continue  # it is skipped
            text = (render.shot.prompt, render.shot.negative)
            if text not in seen:
                seen.add(text)
                yield text


def readers_of(expansion: Expansion) -> Iterator[tuple[str, TextTokenizer, int | None]]:
    """The tokenizers of all text encoders that can be opened here, with what each has room for."""
    name, folder = expansion.model.name, Path(expansion.model.folder)
    present = components_of(name, folder)
    for reader in expansion.family.readers:
        if reader.tokenizer not in present:
            continue
        tokenizer = open_tokenizer(name, folder, reader.tokenizer)
        if tokenizer is not None:
            yield reader.tokenizer, tokenizer, room_of(reader, tokenizer)


def tokens_of(
    name: str, tokenizer: TextTokenizer, room: int | None, prompt: str, negative: str
) -> Json:
    """How many tokens a text encoder reads of a prompt and its negative, and its most."""
    of_prompt, of_negative = tokenizer.counts([prompt, negative])
    return {"encoder": name, "prompt": of_prompt, "negative": of_negative, "limit": room}
