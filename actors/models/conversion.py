"""Single-file checkpoints, converted by a program of its own: whoever registers one loads no
torch.
"""

import json
import logging
import subprocess
import sys
from pathlib import Path
from threading import Lock

log = logging.getLogger(__name__)

_TIMEOUT_S = 3600.0
"""Wall time. A checkpoint of 24 GB is read and written in minutes."""
_one_at_a_time = Lock()  # each takes as much main memory as its weights


def fault_in(file: Path, like: Path, out: Path) -> str | None:
    """Write the folder of a checkpoint to `out`; returns why it cannot be converted, if so."""
    command = [sys.executable, "-P", "-m", "actors.painting.conversion"]
    try:
        with _one_at_a_time:
            done = subprocess.run(
                [*command, str(file), str(like), str(out)],
                capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
            )  # fmt: skip
        answer = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return f"it took more than {_TIMEOUT_S / 3600:.0f} hour."
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        log.warning("A checkpoint was not converted: %s. action=register", last)
        return "the program that converts it ended early; the farm's log has its last words."
    return None if answer is None else str(answer)
