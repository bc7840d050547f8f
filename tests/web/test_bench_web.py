"""The measurement of pages runs; how fast anything is, is none of a test's business."""

import json
import subprocess
import sys


def test_pages_are_measured_in_a_browser(chromium, tmp_path):  # there is one
    """In a process of its own: a browser is driven here already."""
    command = [sys.executable, "-m", "farm.cli", "bench", "web", "--rounds", "1", "--json"]
    done = subprocess.run(
        [*command, "--renders", "1000", "--work", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert figures["decisions_lost.1000"]["max"] == 0
    assert 0 < figures["scripts_and_styles_kb"]["median"] <= 60
    assert figures["first_screen_ms.1000"]["min"] > figures["first_byte_ms.1000"]["min"] > 0
