"""Files of a model's folder: each is there, is a file, and is read as what it should be, or a
sentence names it. No torch here.
"""

import json
import stat
from pathlib import Path
from typing import Any

from storage.errors import RequestError


def read_json(path: Path, name: str) -> dict[str, Any]:
    """A JSON object of a model's folder. Raises RequestError, as a sentence about the model
    `name`.
    """
    require_file(path, name)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        reason = f"{type(exc).__name__}" if isinstance(exc, RecursionError) else _reason(exc)
        raise RequestError(
            f"The model {name} cannot be read: {shown(path)} is not a JSON file ({reason})."
        ) from exc
    if not isinstance(value, dict):
        raise RequestError(f"The model {name} cannot be read: {shown(path)} is not a JSON object.")
    return value


def components_of(name: str, folder: Path) -> dict[str, tuple[str, str]]:
    """The components that a model's index names, each with its library and its class; not those
    that it is without.
    """
    index = read_json(folder / "model_index.json", name)
    return {
        part: (origin[0], origin[1])
        for part, origin in index.items()
        if not part.startswith("_")
        and isinstance(origin, list)
        and len(origin) == 2
        and all(isinstance(word, str) for word in origin)
    }


def require_file(path: Path, name: str) -> None:
    """Raise RequestError unless this is a regular file, or a link to one; to open a pipe would
    wait for ever.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as exc:
        if path.is_symlink():
            raise RequestError(
                f"The model {name} cannot be read: {shown(path)} is a link that leads nowhere, as"
                " an interrupted download or a cleaned cache leaves it. Fetch the model again, or"
                " put the file in its place."
            ) from exc
        if path.name == "model_index.json":
            raise RequestError(
                f"The model {name} is not a diffusers folder: model_index.json is missing."
            ) from exc
        raise RequestError(f"The model {name} cannot be used: {shown(path)} is missing.") from exc
    except OSError as exc:
        raise RequestError(
            f"The model {name} cannot be read: {shown(path)} cannot be opened ({_reason(exc)})."
        ) from exc
    if not stat.S_ISREG(mode):
        raise RequestError(f"The model {name} cannot be read: {shown(path)} is not a file.")


def shown(path: Path) -> str:
    """A file's place in its model's folder, for sentences: nobody needs to know where the farm
    keeps that folder.
    """
    return path.name if path.name == "model_index.json" else f"{path.parent.name}/{path.name}"


def _reason(exc: Exception) -> str:
    return exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
