"""How strongly each layer of a LoRA counts, in every family and in the names of every trainer: W +
alpha/rank * up @ down, by hand.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file

from actors.models.adapter_files import adapter_file
from actors.models.families import FAMILIES
from actors.models.heads import read_head
from actors.models.lora import read_lora
from actors.models.lora_names import Weights
from actors.painting.engine import Engine
from actors.recipes.errors import BadRequest
from actors.recipes.recipe import Adapter
from storage.errors import RequestError
from tests.actors.tiny import group
from tests.pipelines import FREE

pytestmark = pytest.mark.usefixtures("unproved")

TAKING = tuple(family.pipeline for family in FREE if family.takes_adapters)
SD, XL, SD3, FLUX, _, SANA, *NEWER = TAKING
LAYERS = re.compile(
    r"(to_[qkv]|to_out\.0|to_add_out|add_[qkv]_proj|[qkv]_proj|out_proj|fc1|net\.2|conv1|conv_in"
    r"|time_emb_proj|proj_in|norm1\.linear)$"
)


@dataclass
class Half:
    """What a layer of a file should do: factor * up @ down."""

    part: str
    module: str
    down: torch.Tensor
    up: torch.Tensor
    alpha: float | None

    @property
    def rank(self):
        return self.down.shape[0]

    @property
    def factor(self):
        return 1.0 if self.alpha is None else self.alpha / self.rank


def lora_for(
    path,
    parts,
    *,
    pattern=LAYERS,
    alphas=(1.0, 3.0, None, 2.0),
    ranks=(2, 4, 6),
    dtype=torch.float32,
):
    """Random layers for parts of a model, whose ranks and alphas differ."""
    generator = torch.Generator().manual_seed(3)
    made = []
    for part in parts:
        shapes = {
            name: shape
            for file in (path / part).glob("*.safetensors")
            for name, shape in read_head(file).shapes.items()
        }
        for name in sorted(shapes):
            module, shape = name.removesuffix(".weight"), shapes[name]
            if name.endswith(".weight") and pattern.search(module) and len(shape) > 1:
                rank, alpha = ranks[len(made) % len(ranks)], alphas[len(made) % len(alphas)]
                down = torch.randn((rank, *shape[1:]), generator=generator).to(dtype)
                up = torch.randn(
                    (shape[0], rank, *(1 for _ in shape[2:])), generator=generator
                ).to(dtype)
                made.append(Half(part, module, down, up, alpha))
    return made


def written(layers, name_of, down="lora_A", up="lora_B", alpha="{}.alpha"):
    tensors = {}
    for layer in layers:
        name = name_of(layer)
        tensors |= {f"{name}.{down}.weight": layer.down, f"{name}.{up}.weight": layer.up}
        if layer.alpha is not None:
            tensors[alpha.format(name)] = torch.tensor(layer.alpha, dtype=layer.down.dtype)
    return tensors


def kohya(layers, te="lora_te1"):
    parts = {
        "unet": "lora_unet",
        "transformer": "lora_unet",
        "text_encoder": te,
        "text_encoder_2": "lora_te2",
    }

    def name(layer):
        module = (
            layer.module
            if not layer.part.startswith("text")
            else "text_model." + layer.module.removeprefix("text_model.")
        )
        return f"{parts[layer.part]}_{module.replace('.', '_')}"

    return written(layers, name, "lora_down", "lora_up")


def with_prefix(layers):
    return written(layers, lambda layer: f"{layer.part}.{layer.module}")


def in_diffusers_names(layers):
    return written(layers, lambda layer: f"{layer.part}.{layer.module}", "lora.down", "lora.up")


def in_makers_names(layers):
    """SGM's, of a UNet with one layer a block."""
    tensors = {}
    for name, tensor in kohya(layers).items():
        inner = re.sub("_resnets_0_|_resnets_1_", "_0_", re.sub("_attentions_._", "_1_", name))
        block = re.search(r"(down|up)_blocks_(\d)_(?:resnets|attentions)_(\d)_", name)
        if block:
            side, number = ("input", 1) if block[1] == "down" else ("output", 0)
            flat = re.sub(
                r"(down|up)_blocks_\d_",
                f"{side}_blocks_{2 * int(block[2]) + int(block[3]) + number}_",
                inner,
            )
        else:
            flat = re.sub(
                "mid_block_resnets_(.)_", lambda found: f"middle_block_{2 * int(found[1])}_", name
            )
            flat = flat.replace("mid_block_attentions_0_", "middle_block_1_").replace(
                "_unet_conv_in", "_unet_input_blocks_0_0"
            )
        tensors[
            flat.replace("_conv1.", "_in_layers_2.").replace("_time_emb_proj.", "_emb_layers_1.")
        ] = tensor
    assert not any("attentions" in name or "resnets" in name for name in tensors)
    return tensors


def one_trainer(layers):
    return written(
        layers,
        lambda layer: f"lora_transformer_{layer.module.replace('.', '_')}",
        "lora_down",
        "lora_up",
    )


def laid_over(path, file, scale=1.0):
    """What a warm pipeline adds to the weights of each layer, by part and name."""
    warm = Engine(device="cpu", threads=1)._warm(group(path), str(path))
    adapter = Adapter(digest=hashlib.sha256(file.read_bytes()).hexdigest(), scale=scale)
    warm.adapters.use((adapter,), (str(file),))
    return {
        (part, name.removeprefix("text_model.")): module.get_delta_weight(adapter.digest)
        for part in warm.pipeline.pipe._lora_loadable_modules
        for name, module in getattr(warm.pipeline.pipe, part).named_modules()
        if isinstance(module, LoraLayer) and adapter.digest in module.lora_A
    }


def assert_laid(path, file, layers, scale=1.0):
    found = laid_over(path, file, scale)
    assert found.keys() == {
        (layer.part, layer.module.removeprefix("text_model.")) for layer in layers
    }
    for layer in layers:
        if layer.down.ndim == 4:
            product = torch.einsum(
                "or,rihw->oihw", layer.up.float()[..., 0, 0], layer.down.float()
            )
        else:
            product = layer.up.float() @ layer.down.float()
        delta = found[layer.part, layer.module.removeprefix("text_model.")]
        assert torch.allclose(
            delta.float(),
            scale * layer.factor * product,
            rtol=2e-2 if layer.down.dtype != torch.float32 else 1e-5,
            atol=1e-4,
        ), layer


PARTS = {family.pipeline: family.adapted for family in FAMILIES}
WRITERS = {
    "peft": (with_prefix, TAKING),
    "diffusers": (in_diffusers_names, TAKING),
    "kohya": (kohya, (SD, XL)),
    "SGM": (in_makers_names, (SD, XL)),
}
CASES = [(pipeline, kind) for kind, (_, pipelines) in WRITERS.items() for pipeline in pipelines]


@pytest.mark.parametrize(("pipeline", "kind"), CASES)
def test_every_layer_has_its_own_alpha_by_its_own_rank(folder, tmp_path, pipeline, kind):
    layers = lora_for(folder(pipeline), PARTS[pipeline])
    assert len(layers) >= 8
    save_file(WRITERS[kind][0](layers), tmp_path / "a.safetensors")
    assert_laid(folder(pipeline), tmp_path / "a.safetensors", layers, scale=0.7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_files_in_half_precision_are_read_as_they_are(folder, tmp_path, dtype):
    layers = lora_for(folder(SD), ("unet", "text_encoder"), dtype=dtype)
    save_file(kohya(layers), tmp_path / "a.safetensors")
    assert_laid(folder(SD), tmp_path / "a.safetensors", layers)


@pytest.mark.parametrize("pattern", ["fc1$", "out_proj$", "q_proj$"])
def test_a_text_encoder_may_have_few_layers(folder, tmp_path, pattern):
    layers = lora_for(folder(SD), ("text_encoder",), pattern=re.compile(pattern))
    save_file(with_prefix(layers), tmp_path / "a.safetensors")
    assert_laid(folder(SD), tmp_path / "a.safetensors", layers)


@pytest.mark.parametrize("pipeline", [SD3, FLUX, *NEWER])
def test_one_trainers_names_are_read(folder, tmp_path, pipeline):
    layers = lora_for(folder(pipeline), ("transformer",))
    save_file(one_trainer(layers), tmp_path / "a.safetensors")
    assert_laid(folder(pipeline), tmp_path / "a.safetensors", layers)


# --- peft's own files, with their config beside them ---


def peft_folder(path, layers, tmp_path, **config):
    bare = [Half(layer.part, layer.module, layer.down, layer.up, None) for layer in layers]
    save_file(
        written(bare, lambda layer: f"base_model.model.{layer.module}"),
        tmp_path / "adapter_model.safetensors",
    )
    ranks = {layer.module: layer.rank for layer in layers}
    base = {
        "peft_type": "LORA",
        "r": 4,
        "rank_pattern": ranks,
        "lora_alpha": 4,
        "init_lora_weights": True,
    }
    (tmp_path / "adapter_config.json").write_text(json.dumps(base | config))
    return tmp_path / "adapter_model.safetensors"


@pytest.mark.parametrize(
    ("pipeline", "part"),
    [
        (SD, "unet"),
        (SD, "text_encoder"),
        (SD3, "transformer"),
        (FLUX, "transformer"),
        (SANA, "transformer"),
        *((pipeline, "transformer") for pipeline in NEWER),
    ],
)
@pytest.mark.parametrize("use_rslora", [False, True])
def test_a_config_beside_the_file_decides_alphas(folder, tmp_path, pipeline, part, use_rslora):
    layers = lora_for(folder(pipeline), (part,))
    ends = {layer.module.rpartition(".")[2] for layer in layers}
    alphas = {end: 1.5 + k for k, end in enumerate(sorted(ends)) if k % 2}
    file = peft_folder(
        folder(pipeline),
        layers,
        tmp_path,
        lora_alpha=8,
        alpha_pattern=alphas,
        use_rslora=use_rslora,
    )
    for layer in layers:
        alpha = alphas.get(layer.module.rpartition(".")[2], 8)
        layer.alpha = alpha * (math.sqrt(layer.rank) if use_rslora else 1)
    assert_laid(folder(pipeline), file, layers)


def test_a_config_in_the_file_decides_alphas(folder, tmp_path):
    layers = lora_for(folder(SD), ("unet",), ranks=(4,), alphas=(None,))
    config = {
        "unet.r": 4,
        "unet.lora_alpha": 2,
        "unet.alpha_pattern": {"to_q": 1},
        "unet.use_rslora": True,
        "unet.target_modules": ["to_q"],
    }
    save_file(
        with_prefix(layers),
        tmp_path / "a.safetensors",
        metadata={"lora_adapter_metadata": json.dumps(config)},
    )
    for layer in layers:
        layer.alpha = (1 if layer.module.endswith("to_q") else 2) * 2.0
    assert_laid(folder(SD), tmp_path / "a.safetensors", layers)


CONFIGS = {
    "DoRA": (dict(use_dora=True), r"it is a DoRA \(use_dora in adapter_config.json\)"),
    "another kind": (dict(peft_type="LOHA"), r"it is a LOHA \(adapter_config.json\)"),
    "changed weights": (dict(init_lora_weights="pissa_niter_4"), "trained from changed weights"),
    "biases": (dict(lora_bias=True), "lora_bias in adapter_config.json"),
    "another rank": (dict(rank_pattern={}, r=5), "do not belong together"),
    "no number": (
        dict(lora_alpha="many"),
        "adapter_config.json: lora_alpha: Input should be a valid number",
    ),
    "no pattern": (dict(alpha_pattern={"(a+)+$": 3}), "is not the name of a layer"),
    "endless": (dict(lora_alpha=float("inf")), "must be a finite number"),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_config_that_asks_for_more_or_for_nonsense_is_refused(folder, tmp_path, kind):
    config, words = CONFIGS[kind]
    peft_folder(folder(SD), lora_for(folder(SD), ("unet",)), tmp_path, **config)
    with pytest.raises(RequestError, match=words):
        read_lora(adapter_file(tmp_path), Weights("tiny", folder(SD)))


def test_a_config_that_is_not_json_is_refused_and_one_of_another_file_is_not_read(
    folder, tmp_path
):
    weights = Weights("tiny", folder(SD))
    file = peft_folder(folder(SD), lora_for(folder(SD), ("unet",)), tmp_path)
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(RequestError, match=r"adapter_config.json beside it cannot be read"):
        read_lora(adapter_file(file), weights)
    file.rename(tmp_path / "other.safetensors")
    (tmp_path / "another.safetensors").touch()
    read_lora(adapter_file(tmp_path / "other.safetensors"), weights)


def test_a_config_and_alphas_that_differ_are_refused(folder, tmp_path):
    layers = lora_for(folder(SD), ("unet",), ranks=(4,), alphas=(2.0,))
    save_file(with_prefix(layers), tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 2}))
    read_lora(adapter_file(tmp_path), Weights("tiny", folder(SD)))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 4}))
    with pytest.raises(
        RequestError,
        match=r"its layer unet\..* has two strengths: 1 by its config, and 0.5 by its alpha",
    ):
        read_lora(adapter_file(tmp_path), Weights("tiny", folder(SD)))


# --- Flux in its makers' names ---

FUSED = {
    "double_blocks.0.img_attn.qkv": ["attn.to_q", "attn.to_k", "attn.to_v"],
    "double_blocks.0.txt_attn.qkv": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
    "double_blocks.0.img_attn.proj": ["attn.to_out.0"],
    "double_blocks.0.txt_mlp.2": ["ff_context.net.2"],
    "double_blocks.0.img_mod.lin": ["norm1.linear"],
    "single_blocks.0.linear1": ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"],
    "single_blocks.0.linear2": ["proj_out"],
    "final_layer.linear": ["proj_out"],
    "final_layer.adaLN_modulation.1": ["norm_out.linear"],
    "img_in": ["x_embedder"],
    "guidance_in.in_layer": ["time_text_embed.guidance_embedder.linear_1"],
}
XLABS = {
    "double_blocks.0.processor.qkv_lora1": ["attn.to_q", "attn.to_k", "attn.to_v"],
    "double_blocks.0.processor.qkv_lora2": [
        "attn.add_q_proj",
        "attn.add_k_proj",
        "attn.add_v_proj",
    ],
    "double_blocks.0.processor.proj_lora1": ["attn.to_out.0"],
    "double_blocks.0.processor.proj_lora2": ["attn.to_add_out"],
    "single_blocks.0.processor.qkv_lora": ["attn.to_q", "attn.to_k", "attn.to_v"],
    "single_blocks.0.processor.proj_lora": ["proj_out"],
}


def of_makers(path, names, rank=8, alpha=3.0):
    """Layers in the makers' names, and what each should do to layers of diffusers."""
    (file,) = (path / "transformer").glob("*.safetensors")
    shapes, generator = read_head(file).shapes, torch.Generator().manual_seed(1)
    tensors, halves = {}, []
    for name, inner in names.items():
        block = {"double": "transformer_blocks.0.", "single": "single_transformer_blocks.0."}.get(
            name.partition("_")[0], ""
        )
        modules = [block + module for module in inner]
        outs = [shapes[f"{module}.weight"][0] for module in modules]
        down = torch.randn((rank, shapes[f"{modules[0]}.weight"][1]), generator=generator)
        up = torch.randn((sum(outs), rank), generator=generator)
        tensors[name] = (down, up)
        rows = torch.cat(up.chunk(2)[::-1]) if "adaLN" in name else up
        halves += [
            Half("transformer", module, down, part, alpha)
            for module, part in zip(modules, rows.split(outs), strict=True)
        ]
    return tensors, halves


FLUX_WAYS = {
    "kohya": ("lora_unet_{}", "_", "lora_down", "lora_up", 3.0),
    "kohya without alpha": ("lora_unet_{}", "_", "lora_down", "lora_up", None),
    "ComfyUI": ("diffusion_model.{}", ".", "lora_down", "lora_up", 3.0),
    "ComfyUI in peft's halves": ("diffusion_model.{}", ".", "lora_A", "lora_B", 3.0),
    "bare": ("{}", ".", "lora_A", "lora_B", None),
    "peft's own": ("base_model.model.{}", ".", "lora_A", "lora_B", None),
}


@pytest.mark.parametrize("way", FLUX_WAYS)
def test_flux_is_read_in_its_makers_names(folder, tmp_path, way):
    form, dot, down, up, alpha = FLUX_WAYS[way]
    tensors, halves = of_makers(folder(FLUX), FUSED, alpha=alpha)
    file = {}
    for name, (one, other) in tensors.items():
        flat = form.format(name.replace(".", dot))
        file |= {
            f"{flat}.{down}.weight": one,
            f"{flat}.{up}.weight": other,
            **({f"{flat}.alpha": torch.tensor(alpha)} if alpha else {}),
        }
    save_file(file, tmp_path / "a.safetensors")
    assert_laid(folder(FLUX), tmp_path / "a.safetensors", halves)


@pytest.mark.parametrize("prefix", ["", "diffusion_model."])
def test_flux_is_read_in_the_names_of_xlabs(folder, tmp_path, prefix):
    tensors, halves = of_makers(folder(FLUX), XLABS, alpha=None)
    names = {
        f"{prefix}{name}.{side}.weight": pair[k]
        for name, pair in tensors.items()
        for k, side in enumerate(("down", "up"))
    }
    save_file(names, tmp_path / "a.safetensors")
    assert_laid(folder(FLUX), tmp_path / "a.safetensors", halves)


def test_layers_that_flux_was_trained_apart_and_saved_as_one_keep_their_own_ranks(
    folder, tmp_path
):
    tensors, halves = of_makers(
        folder(FLUX),
        {"double_blocks.0.img_attn.qkv": ["attn.to_q", "attn.to_k", "attn.to_v"]},
        rank=6,
    )
    ((name, (down, up)),) = tensors.items()
    for k in range(3):
        for other in {0, 1, 2} - {k}:
            up[32 * k : 32 * k + 32, 2 * other : 2 * other + 2] = 0
    flat = f"lora_unet_{name.replace('.', '_')}"
    save_file(
        {
            f"{flat}.lora_down.weight": down,
            f"{flat}.lora_up.weight": up,
            f"{flat}.alpha": torch.tensor(3.0),
        },
        tmp_path / "a.safetensors",
    )
    assert_laid(folder(FLUX), tmp_path / "a.safetensors", halves)


def test_kohyas_halves_behind_diffusers_names_count_with_their_alphas(folder, tmp_path):
    layers = lora_for(folder(FLUX), ("transformer", "text_encoder"))
    save_file(
        written(layers, lambda layer: f"{layer.part}.{layer.module}", "lora_down", "lora_up"),
        tmp_path / "a.safetensors",
    )
    assert_laid(folder(FLUX), tmp_path / "a.safetensors", layers)


@pytest.mark.parametrize(
    "prefix", ["lora_te3_", "text_encoders.t5xxl.transformer.", "text_encoder_2."]
)
def test_layers_of_t5_are_refused_unless_they_do_nothing(folder, tmp_path, prefix):
    layers = lora_for(folder(FLUX), ("transformer",))
    name = "encoder.block.0.layer.0.SelfAttention.q"
    name = prefix + (name if prefix.endswith(".") else name.replace(".", "_"))
    t5 = {
        f"{name}.lora_down.weight": torch.ones(2, 32),
        f"{name}.lora_up.weight": torch.zeros(16, 2),
    }
    save_file(kohya(layers) | t5, tmp_path / "a.safetensors")
    assert_laid(folder(FLUX), tmp_path / "a.safetensors", layers)
    save_file(
        kohya(layers) | t5 | {f"{name}.lora_up.weight": torch.ones(16, 2)},
        tmp_path / "b.safetensors",
    )
    with pytest.raises(RequestError, match=r"takes adapters for transformer, text_encoder alone"):
        read_lora(adapter_file(tmp_path / "b.safetensors"), Weights("tiny", folder(FLUX)))


# --- names without a part ---


def test_a_file_whose_names_say_no_part_is_for_the_one_that_has_its_layers(folder, tmp_path):
    def check(parts, pattern, pipeline=XL):
        layers = lora_for(folder(pipeline), parts, pattern=pattern, alphas=(None,))
        save_file(written(layers, lambda layer: layer.module), tmp_path / "a.safetensors")
        assert_laid(folder(pipeline), tmp_path / "a.safetensors", layers)

    check(("unet",), LAYERS)
    check(("text_encoder",), LAYERS, pipeline=SD)
    with pytest.raises(
        BadRequest,
        match=(
            r"could be those of text_encoder or text_encoder_2: put the part's name before theirs"
        ),
    ):
        check(("text_encoder_2",), re.compile("q_proj$"))


# --- which pictures of the version before can stay ---


def digest_of(path, tensors, file):
    save_file(tensors, file)
    return (
        read_lora(adapter_file(file), Weights("tiny", path)).digest,
        hashlib.sha256(file.read_bytes()).hexdigest(),
    )


PLAIN = [(SD, "unet"), (SD, "text_encoder"), (XL, "unet"), (XL, "text_encoder_2")]


@pytest.mark.filterwarnings("ignore:The following alpha_pattern keys did not match:RuntimeWarning")
@pytest.mark.parametrize(("pipeline", "part"), PLAIN)
@pytest.mark.parametrize("few", ["to_q$|q_proj$", "proj_in$|fc1$", "nothing"])
@pytest.mark.parametrize("alpha", [1.0, None])
def test_a_file_has_another_digest_exactly_if_diffusers_reads_it_wrong(
    folder, tmp_path, pipeline, part, few, alpha
):
    """As for diffusers 0.42: its own reading is asked here."""
    layers = lora_for(folder(pipeline), (part,), alphas=(2.0,), ranks=(4,))
    for layer in layers:
        if re.search(few, layer.module):
            layer.alpha = alpha
    digest, plain = digest_of(folder(pipeline), kohya(layers), tmp_path / "a.safetensors")
    pipe = (
        Engine(device="cpu", threads=1)
        ._warm(group(folder(pipeline)), str(folder(pipeline)))
        .pipeline.pipe
    )
    pipe.load_lora_weights(
        str(tmp_path), weight_name="a.safetensors", adapter_name="x", local_files_only=True
    )
    scaling = {
        name.removeprefix("text_model."): module.scaling["x"]
        for name, module in getattr(pipe, part).named_modules()
        if isinstance(module, LoraLayer) and "x" in module.lora_A
    }
    is_right = all(
        scaling[layer.module.removeprefix("text_model.")] == pytest.approx(layer.factor)
        for layer in layers
    )
    assert (digest == plain) == is_right
    assert digest == plain or re.fullmatch(rf"{plain}-[0-9a-f]{{16}}", digest)


def test_a_digest_follows_the_config_beside_the_file(folder, tmp_path):
    weights, layers = Weights("tiny", folder(SD)), lora_for(folder(SD), ("unet",), ranks=(4,))
    digests = set()
    for alpha in (4, 2, 1):
        file = peft_folder(folder(SD), layers, tmp_path, lora_alpha=alpha)
        digests.add(digest := read_lora(adapter_file(tmp_path), weights).digest)
        assert ("-" in digest) == (alpha != 4)
    assert len(digests) == 3
    warm = Engine(device="cpu", threads=1)._warm(group(folder(SD)), str(folder(SD)))
    with pytest.raises(BadRequest, match=r"adapter_config.json beside .* has changed"):
        warm.adapters.use((Adapter(digest=max(digests) + "0", scale=1.0),), (str(file),))
