"""What the first picture takes: `farm run` of one picture in a home that is new, beside a bare
diffusers script, in turn.

Each side is a process of its own, timed from its start until it has ended. Imports, starts and
stops count.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from actors.models.models import SEEDLING
from farm.bench.figures import Json, machine, spreads
from storage.errors import WorkError

PROMPT, STEPS, SIZE = "a red mug on a beach, product photo", 20, 128
BARE = f"""
import sys, torch, diffusers
torch.set_num_threads(1)
pipe = diffusers.DiffusionPipeline.from_pretrained(
    {str(SEEDLING)!r}, dtype=torch.float32, use_safetensors=True, local_files_only=True
)
pipe.set_progress_bar_config(disable=True)
noise = torch.Generator("cpu").manual_seed(0)
settings = dict(num_inference_steps={STEPS}, width={SIZE}, height={SIZE})
picture = pipe({PROMPT!r}, **settings, generator=noise).images[0]
picture.save(sys.argv[1])
"""


def measure(*, pairs: int, work: Path | None) -> Json:
    """Run both sides `pairs` times after one that is not counted. Raises WorkError if a side
    paints nothing.
    """
    with TemporaryDirectory(prefix="farm-cold-", dir=work) as folder:
        rounds = [_round(Path(folder) / str(number)) for number in range(pairs + 1)][1:]
    figures = [{"farm_vs_bare": r["farm"] / r["bare"], "farm_s": r["farm"]} for r in rounds]
    return {
        "bench": "cold",
        "machine": machine(),
        "setup": {"pairs": pairs, "steps": STEPS, "size": SIZE},
        "figures": spreads(figures),
        "peers": spreads([{"bare_s": r["bare"]} for r in rounds]),
    }


def _round(folder: Path) -> dict[str, float]:
    folder.mkdir()
    file = folder / "one.yaml"
    # One at once, as all models are painted but `seedling`: else it would paint four for one.
    settings = {"steps": STEPS, "size": f"{SIZE}x{SIZE}", "batch": 1}
    file.write_text(
        yaml.safe_dump(
            {"name": "one", "model": "seedling", "prompt": PROMPT, "settings": settings}
        )
    )
    home = folder / "home"
    return {
        "bare": _seconds(
            [sys.executable, "-c", BARE, str(folder / "bare.png")], folder / "bare.png"
        ),
        "farm": _seconds(
            [
                sys.executable,
                "-m",
                "farm.cli",
                "run",
                str(file),
                "--home",
                str(home),
                "--workers",
                "1",
                "--sheet",
                str(folder / "sheet.png"),
            ],
            folder / "sheet.png",
        ),
    }


def _seconds(command: list[str], picture: Path) -> float:
    """How long a command takes from its start to its end, if it leaves the picture."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("FARM_")
    }
    began = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    took_s = time.perf_counter() - began
    if ended.returncode != 0 or not picture.is_file():
        raise WorkError(f"A side painted nothing: {(ended.stderr or ended.stdout).strip()[-500:]}")
    return took_s
