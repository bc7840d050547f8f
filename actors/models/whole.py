"""Whether a model's weights are those that its configs ask for: told by a program of its own,
since whoever submits loads no torch.
"""

import json
import logging
import subprocess
import sys
from pathlib import Path
from threading import Lock

from storage.errors import RequestError

log = logging.getLogger(__name__)

_TIMEOUT_S = 120.0
"""Wall time. Of 7 s for Flux on two cores, 5 go into loading the libraries; the size of the files
does not matter.
"""
_known: dict[
    str, str | None
] = {}  # by digest: a folder is looked at again only if its files have changed
_one_at_a_time = Lock()  # each takes 500 MB of main memory


class NoAnswer(Exception):
    """The program could not look at the folder; a worker will."""


def check_shapes(name: str, folder: Path, digest: str) -> None:
    """Raise RequestError, naming the tensor, if weights lack one, have one of another shape, or no
    model can be made of a config.

    `digest` is that of the folder's weights: for the same one there is no second look.
    """
    with _one_at_a_time:
        if digest not in _known:
            try:
                _known[digest] = fault_in(folder)
            except NoAnswer as exc:
                log.warning(
                    "The tensors of the model %s were not looked at: %s. action=submit", name, exc
                )
                return
    if (fault := _known[digest]) is not None:
        raise RequestError(f"The model {name} cannot be used: {fault}")


def fault_in(folder: Path) -> str | None:
    """What `actors.painting.shapes` says of a folder. Raises NoAnswer if it says nothing."""
    command = [sys.executable, "-P", "-m", "actors.painting.shapes", str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        answer = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else done.stderr
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as exc:
        raise NoAnswer(str(exc)) from exc
    if done.returncode != 0:
        raise NoAnswer((answer.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return str(answer) if answer is not None else None
