"""The campaign files that a command line names: files, folders of them, and standard input."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from farm.campaign.given import with_given
from farm.campaign.loading import CampaignFile, campaign_of, load_campaign
from farm.documents.document import read_piped
from farm.documents.text_file import MAX_BYTES
from storage.errors import RequestError

CampaignFiles = Annotated[
    list[Path],
    typer.Argument(
        help="Campaign files, folders of them, or - for standard input.", metavar="FILE..."
    ),
]
PIPE = Path("-")
_ENDINGS = (".yaml", ".yml", ".json")


def campaign_paths(named: Sequence[Path]) -> list[Path]:
    """The files, with those of a folder in its place by their names. Raises RequestError if a
    folder has none.
    """
    paths: list[Path] = []
    for path in named:
        paths += _inside(path) if path.is_dir() else [path]
    if paths.count(PIPE) > 1:
        raise RequestError("Standard input can be read once: write - once.")
    return list(dict.fromkeys(paths))


def _inside(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)
    if not found:
        raise RequestError(
            f"The folder {folder} has no campaign file: their names end in .yaml, .yml or .json."
        )
    return found


def load_given(path: Path, given: Sequence[str]) -> CampaignFile:
    """A checked campaign of a file or of standard input, with keys in the place of its own."""
    if path == PIPE:
        document = with_given(read_piped(sys.stdin.buffer.read(MAX_BYTES + 1)), given)
        return campaign_of(document, Path.cwd())
    return load_campaign(path, given)
