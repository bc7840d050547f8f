"""Commands answer at once because they load neither torch nor Ray; import-linter checks the text, this the fact."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["farm", "farm.cli", "farm.app"])
def test_whoever_submits_loads_neither_torch_nor_ray(module):
    code = f"import {module}, sys; print(sorted({{'torch', 'ray', 'diffusers', 'transformers'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_dispatcher_loads_no_torch():
    code = "import farm.dispatcher, sys; print('torch' in sys.modules, 'diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False False"
