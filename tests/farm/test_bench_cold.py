"""The script that `farm bench cold` measures the farm beside."""

import subprocess
import sys

from PIL import Image

from farm.bench.cold import BARE, SIZE


def test_the_bare_script_paints_its_picture(tmp_path):
    """It once failed for the type of the weights, so that there was nothing to compare with."""
    subprocess.run([sys.executable, "-c", BARE, tmp_path / "one.png"], check=True)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.size == (SIZE, SIZE)
