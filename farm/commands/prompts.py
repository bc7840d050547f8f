"""`farm prompts`: every prompt of a campaign file, as the model gets it."""

from typing import Annotated

import typer

from farm.campaign.loading import load_campaign
from farm.commands.shared import (
    AsJson,
    CampaignPath,
    Home,
    Project,
    print_json,
    say,
    settings_for,
)
from farm.connect import open_client
from farm.documents.counting import counted
from farm.service.views import EncoderTokens, PromptList, PromptText


def prompts(
    file: CampaignPath,
    limit: Annotated[
        int, typer.Option("--limit", help="How many are listed at most.", min=1, max=100_000)
    ] = 100,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Every distinct prompt of a campaign file, with its negative, its tokens beside what each
    text encoder reads, and the words that its brand bans.
    """
    loaded = load_campaign(file)
    with open_client(settings_for(home, project)) as client:
        answer = client.prompts(loaded, limit=limit)
    if as_json:
        print_json(answer)
        return
    for told in answer.prompts:
        negative = f"  (not: {told.negative})" if told.negative else ""
        say(f"{told.prompt}{negative}")
        say(f"  {_counted(told)}")
    say(_summary(answer))


def _counted(told: PromptText) -> str:
    counts = [
        f"{count.encoder} {max(count.prompt, count.negative)} of"
        f" {count.limit or 'any number of'} tokens{_cut(count)}"
        for count in told.tokens
    ]
    banned = [f"banned: {', '.join(told.banned)}"] if told.banned else []
    return "; ".join([*(counts or ["no tokenizer that can be opened here"]), *banned])


def _cut(count: EncoderTokens) -> str:
    longest = max(count.prompt, count.negative)
    return ", too long" if count.limit is not None and longest > count.limit else ""


def _summary(answer: PromptList) -> str:
    listed = answer.prompts
    count = counted(len(listed), "prompt")
    more = ", and more: `--limit N` lists them" if answer.more else ""
    wrong = sum(bool(told.banned) for told in listed)
    banned = f" {wrong:,} of them have words that {answer.brand} bans." if wrong else ""
    return f"{count} of {answer.campaign}{more}.{banned}"
