"""Which files hold the weights of a model's component, in which variant, and whether they are
whole. No torch here.

Full weights go first; many hub models have only halves of them, as `*.fp16.safetensors`. A set is
one file, or several shards with an index that names them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError, safe_open

from actors.models.model_files import read_json, require_file, shown
from storage.errors import RequestError

VARIANTS = ("", "fp32", "fp16", "bf16")
"""Those that are read, best first; the empty one is the full weights. `non_ema` ones are for
training on.
"""
_STEMS = {"diffusers": ("diffusion_pytorch_model",), "transformers": ("model",)}
_EXTENSION = ".safetensors"
_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}


@dataclass(frozen=True)
class WeightsSet:
    """One variant of a component's weights, as names of files in its folder."""

    stem: str
    variant: str
    index: str | None
    """The file that names its shards; None if all is in one file."""
    file: str | None
    """The only file; None if there are shards."""

    @property
    def index_read(self) -> str:
        """What the libraries call the index now; they have put the variant's name into other
        places before.
        """
        return f"{self.stem}{_EXTENSION}.index{f'.{self.variant}' if self.variant else ''}.json"


def choose_set(names: Iterable[str], library: str) -> WeightsSet | None:
    """The set that is loaded, of the files in a component's folder; None if there is none that
    `library` reads.

    `library` is that of the component's class: it says what the files are called, and whether
    shards go before one file.
    """
    present = set(names)
    for variant in VARIANTS:
        for stem in _STEMS.get(library, ("diffusion_pytorch_model", "model")):
            index = next(
                (name for name in sorted(present) if _is_index(name, stem, variant)), None
            )
            file = f"{stem}.{variant}{_EXTENSION}" if variant else f"{stem}{_EXTENSION}"
            if index and (stem != "model" or file not in present):
                return WeightsSet(stem, variant, index, None)
            if file in present:
                return WeightsSet(stem, variant, None, file)
    return None


def set_of(component: Path, library: str) -> WeightsSet | None:
    """The set that is loaded of the files in a component's folder."""
    return choose_set((path.name for path in component.glob("*")), library)


def weights_files(name: str, component: Path, library: str) -> tuple[Path, ...]:
    """The files that are loaded for a component, if any. Raises RequestError for an index that
    cannot be followed.
    """
    found = set_of(component, library)
    if found is None:
        return ()
    if found.file:
        return (component / found.file,)
    return tuple(component / shard for shard in sorted({*shards(name, component, found).values()}))


def shards(name: str, component: Path, found: WeightsSet) -> Mapping[str, str]:
    """The file of each tensor, as the index of a set has it. Raises RequestError if that is no
    index.
    """
    assert found.index is not None
    path = component / found.index
    index = read_json(path, name)
    weight_map = index.get("weight_map")
    if (
        not isinstance(weight_map, dict)
        or not weight_map
        or not isinstance(index.get("metadata"), dict)
    ):
        raise RequestError(
            f"The model {name} cannot be used: {shown(path)} is not an index of shards: it needs"
            " `metadata` and `weight_map`."
        )
    for file in weight_map.values():
        if (
            not isinstance(file, str)
            or PurePosixPath(file).name != file
            or not file.endswith(_EXTENSION)
        ):
            raise RequestError(
                f"The model {name} cannot be used: {shown(path)} names {file!r}, which is no"
                f" {_EXTENSION} file beside it."
            )
    return weight_map


def files_of_one(folder: Path, library: str) -> Iterator[Path]:
    """The files that are loaded of a folder that is one model's. Raises as `weights_files`."""
    yield folder / "config.json"
    yield from weights_files(folder.name, folder, library)
    found = set_of(folder, library)
    if found is not None and found.index is not None:
        yield folder / found.index


def check_weights(name: str, component: Path, library: str) -> None:
    """Raise RequestError, naming the file, if the weights that would be loaded are missing, cut
    off, or not what their index says.
    """
    found = set_of(component, library)
    if found is None:
        raise without_weights(
            name, component.name, [path.name for path in component.glob("*")], library
        )
    if found.file:
        _tensors(name, component / found.file)
        return
    placed: dict[str, set[str]] = {}
    for tensor, file in shards(name, component, found).items():
        placed.setdefault(file, set()).add(tensor)
    for file, tensors in sorted(placed.items()):
        if not (component / file).exists() and not (component / file).is_symlink():
            raise RequestError(
                f"The model {name} is not whole: {component.name}/{file} is missing, which"
                f" {found.index} names."
            )
        if lacking := sorted(tensors - _tensors(name, component / file)):
            raise RequestError(
                f"The model {name} is not whole: {component.name}/{file} has no {lacking[0]},"
                f" which {found.index} places there."
            )


def without_weights(name: str, component: str, names: Sequence[str], library: str) -> RequestError:
    """The sentence about a component without weights that could be loaded, whose folder has files
    of these names.
    """
    others = sorted(file for file in names if file.endswith(_EXTENSION))
    if not others and any(Path(file).suffix in _PICKLES for file in names):
        return RequestError(
            f"The model {name} has only pickled weights in {component}/, which can run code when"
            " they are read: save it again with `pipeline.save_pretrained(folder,"
            " safe_serialization=True)`."
        )
    expected = " or ".join(
        f"{stem}{_EXTENSION}" for stem in _STEMS.get(library, ("diffusion_pytorch_model", "model"))
    )
    seen = f", and found {_listed(others)}" if others else ""
    return RequestError(
        f"The model {name} has no weights in {component}/ that could be loaded: a pipeline reads"
        f" {expected} there, shards with their index, or the same as a variant"
        f" ({', '.join(VARIANTS[1:])}){seen}."
    )


def _is_index(name: str, stem: str, variant: str) -> bool:
    """Whether that is the index of a variant's shards, wherever its name has that of the
    variant.
    """
    parts = name.removeprefix(f"{stem}.").split(".")
    return name.startswith(f"{stem}.") and sorted(parts) == sorted(
        ["safetensors", "index", "json", *([variant] if variant else [])]
    )


def _tensors(name: str, path: Path) -> set[str]:
    """The names of a file's tensors; its head alone is read."""
    require_file(path, name)
    try:
        with safe_open(path, framework="np") as file:
            return set(file.keys())
    except (SafetensorError, OSError) as exc:
        raise RequestError(
            f"The model {name} has weights that cannot be read: {shown(path)} is not a whole"
            f" safetensors file ({exc})."
        ) from exc


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
