"""The tensors of a LoRA by their names: the two halves of each layer, and the alphas."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actors.models.heads import Head, Shape
from storage.errors import RequestError

# A layer's two halves, in the names of its trainer:
# - peft: layer.lora_A.weight and layer.lora_B.weight
# - kohya: layer.lora_down.weight and layer.lora_up.weight
# - older diffusers: layer.lora.down.weight, layer.lora_linear_layer.down.weight and
#   processor.to_q_lora.down.weight, each with its up
# - XLabs: processor.qkv_lora1.down.weight, with its up
_HALF = re.compile(
    r"(?P<layer>.+)[._]lora(?P<number>\d?)(?:_linear_layer)?"
    r"[._](?:(?P<down>A|down)|B|up)(?:\.\w+)?\.weight"
)
_ALPHA = re.compile(
    r"(?P<layer>.+?)(?:[._]lora(?:_linear_layer)?(?:[._](?:A|down)(?:\.weight)?)?)?\.alpha"
)
# Adapters of other kinds, by how their tensors are called.
_OTHER_KINDS = {
    "DoRA": re.compile(r"dora_scale|lora_magnitude_vector"),
    "LoHa": re.compile(r"[._]hada_[wt]\d"),
    "LoKr": re.compile(r"[._]lokr_[wt]\d"),
    "LoCon with a middle part (Tucker)": re.compile(r"[._]lora_mid\."),
    "LoRA of embeddings": re.compile(r"[._]lora_embedding_[AB]"),
    "LoRA with biases": re.compile(r"[._]lora_B(\.\w+)?\.bias$"),
    "OFT": re.compile(r"[._](b?oft_(blocks|diag|[RSs])|oft_s)"),
    "IA3": re.compile(r"[._]ia3_l|\.on_input$"),
    "VeRA": re.compile(r"vera_(lambda|A|B)"),
    "GLoRA": re.compile(r"\.(a1|a2|b1|b2)\.weight$"),
    "set of differences of whole weights": re.compile(
        r"\.(diff|diff_b|set_weight|w_norm|b_norm)$"
    ),
    "ControlLoRA": re.compile(r"lora_controlnet|query_norm\.scale|\.norm_(added_)?[qk]\.weight$"),
    "textual inversion": re.compile(r"^(emb_params|clip_[lg]|<.*>|string_to_param.*)$"),
    "IP-Adapter": re.compile(r"^(ip_adapter|image_proj)\."),
}
_IDLE = re.compile(r"\.(diff|diff_b)$")


@dataclass(frozen=True)
class Halves:
    """The two tensors of a layer, by their names in the file."""

    down: str
    up: str
    down_shape: Shape
    up_shape: Shape


def halves_of(head: Head) -> tuple[dict[str, Halves], dict[str, str]]:
    """The two halves of every layer, and the tensors with alphas. Raises RequestError for a file
    that is not a LoRA, or only half of one.
    """
    downs: dict[str, str] = {}
    ups: dict[str, str] = {}
    alphas: dict[str, str] = {}
    strange = []
    for name in head.shapes:
        if half := _HALF.fullmatch(name):
            (downs if half["down"] else ups)[half["layer"] + half["number"]] = name
        elif alpha := _ALPHA.fullmatch(name):
            alphas[alpha["layer"]] = name
        elif not (_IDLE.search(name) and head.is_zero(name)):
            strange.append(name)
    _check_kind(strange)
    if odd := sorted(downs.keys() ^ ups.keys()):
        raise RequestError(f"it is not whole: its layer {odd[0]} has only one of its two halves.")
    if not downs:
        raise RequestError("it is not a LoRA: it has no layers.")
    if lost := sorted(alphas.keys() - downs.keys()):
        raise RequestError(f"it is not whole: it has {alphas[lost[0]]}, and no such layer.")
    return {
        name: _fitting(name, downs[name], ups[name], head.shapes) for name in sorted(downs)
    }, alphas


def _check_kind(strange: Sequence[str]) -> None:
    """Raise RequestError for tensors that a plain LoRA does not have, by the kind of adapter that
    has them.
    """
    for kind, pattern in _OTHER_KINDS.items():
        if found := next((name for name in strange if pattern.search(name)), None):
            raise RequestError(
                f"it is {_a(kind)} ({found}), which is not supported: only plain LoRA is."
            )
    if strange:
        raise RequestError(f"it is not a LoRA: {strange[0]} is not part of one.")


def _fitting(name: str, down: str, up: str, shapes: Mapping[str, Shape]) -> Halves:
    pair = Halves(down, up, shapes[down], shapes[up])
    if (
        len(pair.down_shape) < 2
        or len(pair.up_shape) < 2
        or pair.down_shape[0] != pair.up_shape[1]
        or not pair.down_shape[0]
    ):
        raise RequestError(
            f"the halves of its layer {name} do not fit together: {shape_text(pair.down_shape)}"
            f" and {shape_text(pair.up_shape)}."
        )
    return pair


def shape_text(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "no sides"


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIO' else 'a'} {kind}"
