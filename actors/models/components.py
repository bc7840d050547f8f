"""The parts of a model's folder, looked at when a campaign is submitted: what a worker could not
load is found out there. No torch here.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.models.families import is_known
from actors.models.family import Family
from actors.models.model_files import components_of, read_json
from actors.models.plain_families import is_pipeline_module
from actors.models.tokenizers import TextTokenizer, is_tokenizer, open_tokenizer
from actors.models.weights import check_weights
from storage.errors import RequestError

_LIBRARIES = {
    "diffusers",
    "transformers",
}  # whose classes a pipeline may be made of: any other name means code that comes with the model
_NO_WEIGHTS = re.compile(
    r"\w*(Tokenizer|Processor|FeatureExtractor)(Fast)?|\w*(Scheduler|Guidance|Guider)"
)
_ENCODER = re.compile(r"text_encoder(_\d+)?")


def check_components(name: str, folder: Path, family: Family) -> None:
    """Raise RequestError, naming the file, for what would run code when it is loaded, is missing,
    damaged, or does not fit.
    """
    parts = components_of(name, folder)
    for component in family.weights:
        if component not in parts:
            raise RequestError(
                f"The model {name} has no {component}: its model_index.json names none, and a"
                f" {family.pipeline} needs it."
            )
    for component, (library, kind) in parts.items():
        if component in family.left_out:
            continue
        if library not in _LIBRARIES and not is_pipeline_module(library):
            raise RequestError(
                f"The model {name} needs code of its own for {component} ({library}): only models"
                " without can be used."
            )
        if is_tokenizer(component, kind):
            tokenizer = open_tokenizer(name, folder, component)
            _check_pair(name, folder, parts, component, tokenizer)
        elif not _NO_WEIGHTS.fullmatch(kind):
            _check_model(name, folder / component, library)
    if is_known(family):
        _check_readers(name, parts)


def _check_model(name: str, component: Path, library: str) -> None:
    if library in _LIBRARIES or any(component.glob("*.safetensors")):
        check_weights(name, component, library)
        read_json(component / "config.json", name)


def _check_readers(name: str, parts: Mapping[str, tuple[str, str]]) -> None:
    """Each text encoder reads by a tokenizer of its own."""
    for component in parts:
        tokenizer = component.replace("text_encoder", "tokenizer")
        if _ENCODER.fullmatch(component) and tokenizer not in parts:
            raise RequestError(
                f"The model {name} has a {component} and no {tokenizer}: its model_index.json"
                " names none."
            )


def _check_pair(
    name: str,
    folder: Path,
    parts: Mapping[str, Any],
    component: str,
    tokenizer: TextTokenizer | None,
) -> None:
    """A tokenizer and the text encoder that reads by it: each word needs a row there, and each
    place in a text too.
    """
    encoder = component.replace("tokenizer", "text_encoder")
    if tokenizer is None or not _ENCODER.fullmatch(encoder) or encoder not in parts:
        return
    config = read_json(folder / encoder / "config.json", name)
    rows, places = config.get("vocab_size"), config.get("max_position_embeddings")
    if isinstance(rows, int) and tokenizer.largest >= rows:
        raise RequestError(
            f"The model {name} has a {component} that is not its {encoder}'s: its words are"
            f" numbered up to {tokenizer.largest}, and {encoder}/config.json has a vocab_size of"
            f" {rows}."
        )
    if not parts[encoder][1].startswith("CLIPText") or not isinstance(places, int):
        return  # only CLIP's are padded to what the tokenizer says
    if tokenizer.max_length is None or tokenizer.max_length > places:
        said = (
            "does not say" if tokenizer.max_length is None else f"says {tokenizer.max_length} for"
        )
        raise RequestError(
            f"The model {name} cannot be used: {component}/tokenizer_config.json {said}"
            f" `model_max_length`, and {encoder} reads {places} tokens: write {places} there."
        )
