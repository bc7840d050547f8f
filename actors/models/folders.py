"""Whether the parts of a model's folder fit together, and whether what loads them is installed. No
torch here.

That each file is there and whole is looked at in `actors.models.models`; here it is what each
says.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from actors.models.families import is_known
from actors.models.family import Family
from actors.models.foreign_code import foreign_code
from actors.models.model_files import components_of, read_json
from actors.models.source import (
    Facts,
    PipelineSource,
    UnknownValue,
    package_folder,
    pipelines_folder,
    source_of,
)
from actors.models.syntax import literal
from actors.models.traits import scale_of, scale_of_vae
from storage.errors import RequestError

# Methods that weights were quantized with, and the package that reads them. Those that are not
# here need none, or a worker says so.
_QUANTIZED = {
    "aqlm": "aqlm",
    "auto-round": "auto_round",
    "awq": "gptqmodel",
    "bitsandbytes": "bitsandbytes",
    "bitsandbytes_4bit": "bitsandbytes",
    "bitsandbytes_8bit": "bitsandbytes",
    "compressed-tensors": "compressed_tensors",
    "eetq": "eetq",
    "gguf": "gguf",
    "gptq": "gptqmodel",
    "hqq": "hqq",
    "modelopt": "modelopt",
    "quanto": "optimum.quanto",
    "torchao": "torchao",
    "vptq": "vptq",
}
_PACKAGES = {
    "bs4": "beautifulsoup4",
    "optimum.quanto": "optimum-quanto",
    "modelopt": "nvidia-modelopt",
}
# Without these no pipeline paints. Others may be null in an index: many folders leave a third text
# encoder out.
_MAIN = {"transformer", "unet", "vae", "text_encoder", "tokenizer", "scheduler"}
_CHANNELS = ("num_channels_latents", "latent_channels")
_GUARD = re.compile(r"is_\w+_available\(\)")


def facts_of(name: str, folder: Path) -> Facts:
    """What a model's folder says of its components. Raises RequestError, as a sentence about the
    model `name`.
    """
    index = read_json(folder / "model_index.json", name)
    known = [
        component
        for component in components_of(name, folder)
        if (folder / component / "config.json").is_file()
    ]
    return Facts(
        index,
        {component: read_json(folder / component / "config.json", name) for component in known},
    )


def check_folder(name: str, folder: Path, family: Family) -> Facts:
    """What a model's folder says. Raises RequestError for what no worker could load or paint with,
    though every file is whole.
    """
    facts, source = facts_of(name, folder), source_of(family.pipeline)
    assert source is not None  # a family is one of diffusers' classes
    parts = {
        part: origin
        for part, origin in components_of(name, folder).items()
        if part not in family.left_out
    }
    faults = (
        *foreign_code(facts),
        *_missing_parts(source, facts, family),
        *_unknown_classes(parts),
        *_missing_packages(
            source, {part: facts.configs[part] for part in parts if part in facts.configs}
        ),
        *_channel_faults(source, facts, family),
        *_scale_faults(source, facts, family),
    )
    for fault in faults:
        raise RequestError(f"The model {name} cannot be used: {fault}")
    return facts


def _missing_parts(source: PipelineSource, facts: Facts, family: Family) -> Iterator[str]:
    for part in source.components:
        is_free = (
            part in family.left_out
            or part in source.optional
            or (part in facts.index and part not in _MAIN)
        )
        if (
            not facts.has(part)
            and not is_free
            and (part not in family.weights or not is_known(family))
        ):
            yield f"a {source.name} is made with a {part}, and its model_index.json names none."


def _unknown_classes(parts: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for part, (library, kind) in parts.items():
        if not _has_class(library, kind):
            package = library if library == "transformers" else "diffusers"
            yield (
                f"its {part} is a {kind} of {library}, which {package} {version(package)} here"
                f" does not have: install a version of {package} that does, or fetch the model in"
                " a form for this one."
            )


@cache
def _has_class(library: str, kind: str) -> bool:
    """Whether a class is in the source of a library, or of those pipelines of diffusers that a
    part belongs to.
    """
    if library == "diffusers":
        return f'"{kind}"' in (package_folder("diffusers") / "__init__.py").read_text(
            encoding="utf-8"
        )
    folder = (
        package_folder("transformers")
        if library == "transformers"
        else pipelines_folder() / library
    )
    plain = kind.removesuffix("Fast")  # transformers 5 has one class for both
    defined = re.compile(rf"^(?:class (?:{plain}|{kind})\b|{kind} = )".encode(), re.MULTILINE)
    files = [*folder.glob("*.py"), *folder.glob("models/*/*.py")]
    return any(
        plain.encode() in text and defined.search(text) for text in map(Path.read_bytes, files)
    ) or _is_imported(folder, kind)


def _is_imported(folder: Path, kind: str) -> bool:
    imports = folder / "__init__.py"
    return imports.is_file() and f'"{kind}"' in imports.read_text(encoding="utf-8")


def _missing_packages(
    source: PipelineSource, configs: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    for package in (*_backends(source.name), *_needed_imports(source)):
        if not _is_installed(package):
            yield (
                f"a {source.name} needs the package {_named(package)}, which is not installed"
                f" here: `pip install {_named(package)}`."
            )
    for part, config in configs.items():
        method = _quantized_with(config.get("quantization_config"))
        reader = _QUANTIZED.get(method or "")
        if reader and not _is_installed(reader):
            yield (
                f"the weights in {part}/ were quantized with {method}, and the package"
                f" {_named(reader)} that reads them is not installed here: `pip install"
                f" {_named(reader)}`, or take the model with its full weights."
            )


def _quantized_with(config: Any) -> str | None:
    if not isinstance(config, dict):
        return None
    method = config.get("quant_method") or (
        "bitsandbytes" if config.get("load_in_4bit") or config.get("load_in_8bit") else None
    )
    return str(method).lower() if method else None


def _named(package: str) -> str:
    return _PACKAGES.get(package, package.replace("_", "-"))


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


@cache
def _backends(pipeline: str) -> tuple[str, ...]:
    """The packages without which diffusers does not offer a class, from what stands in for it
    then.
    """
    for path in sorted((package_folder("diffusers") / "utils").glob("dummy_*_objects.py")):
        text = path.read_text(encoding="utf-8")
        if f"class {pipeline}(" in text and (
            found := re.search(rf"class {pipeline}\(.*?_backends = (\[.*?\])", text, re.DOTALL)
        ):
            return tuple(literal(found[1]))
    return ()


def _needed_imports(source: PipelineSource) -> Iterator[str]:
    """The packages that a pipeline imports if they are there, and then uses without asking
    again.
    """
    for node in source.module.body:
        if (
            isinstance(node, ast.If)
            and not node.orelse
            and (guard := _GUARD.fullmatch(ast.unparse(node.test)))
        ):
            for part in node.body:
                if source.text.count(guard[0]) == 1 and isinstance(
                    part, ast.Import | ast.ImportFrom
                ):
                    yield str(
                        part.module if isinstance(part, ast.ImportFrom) else part.names[0].name
                    )


def _channel_faults(source: PipelineSource, facts: Facts, family: Family) -> Iterator[str]:
    """A denoiser that takes other latents than its autoencoder makes: one for inpainting takes a
    mask and a picture beside them.
    """
    function = source.functions.get("__call__")
    vae = facts.configs.get("vae", {})
    made = vae.get("latent_channels", vae.get("z_dim"))
    for node in ast.walk(function) if function else ():
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) in _CHANNELS
            and family.denoiser in ast.unparse(node.value)
        ):
            try:
                taken = source.value(node.value, facts, function)
            except UnknownValue:
                continue
            if isinstance(made, int) and isinstance(taken, int) and taken != made:
                kind = (
                    "for inpainting, it seems"
                    if taken == 2 * made + 1
                    else "made for another use, or for another vae"
                )
                yield (
                    f"its {family.denoiser} takes latents of {taken} channels and its vae makes"
                    f" {made} ({kind}), and a {source.name} paints from a prompt alone."
                )


def _scale_faults(source: PipelineSource, facts: Facts, family: Family) -> Iterator[str]:
    counted, made = scale_of(source, facts), scale_of_vae(facts.configs.get("vae", {}))
    if not is_known(family) and counted and made and counted != made:
        yield (
            f"a {source.name} counts on a vae that makes {counted} pixels a side of each of its"
            f" latents, and its vae makes {made}: every picture would have another size than the"
            " one asked for."
        )
