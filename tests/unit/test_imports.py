"""Commands answer at once because they load neither torch nor Ray; import-linter checks the text,
this the fact.
"""

import subprocess
import sys

import pytest


def last_line(code):
    """The last line that a Python process of its own prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("module", ["farm", "farm.cli", "farm.app"])
def test_whoever_submits_loads_neither_torch_nor_ray(module):
    code = (
        f"import {module}, sys; print(sorted({{'torch', 'ray', 'diffusers', 'transformers'}} &"
        " set(sys.modules)))"
    )
    assert last_line(code) == "[]"


def test_the_dispatcher_loads_no_torch():
    code = (
        "import farm.dispatch.dispatcher, sys; print('torch' in sys.modules, 'diffusers' in"
        " sys.modules)"
    )
    assert last_line(code) == "False False"


# What no command needs that only asks a running farm: a database, a web server, buckets, the
# policy and the expansion.
HEAVY = {
    "sqlalchemy", "alembic", "psycopg", "fastapi", "uvicorn", "boto3", "prometheus_client",
    "imagecodecs", "farm.scheduling.assignment", "farm.campaign.expansion",
}  # fmt: skip


@pytest.mark.parametrize(
    "command", ["list", "status", "why", "pause", "cancel", "workers", "scale", "drain"]
)
def test_a_command_that_asks_a_running_farm_loads_what_it_takes_to_ask(command):
    code = (
        f"import sys; from farm.cli import load; load({command!r}); print(sorted({HEAVY!r} &"
        " set(sys.modules)))"
    )
    assert last_line(code) == "[]"


@pytest.mark.parametrize("command", ["run", "submit", "estimate"])
def test_a_command_that_reads_a_campaign_loads_neither_the_hub_nor_the_farm(command):
    code = (
        f"import sys; from farm.cli import load; load({command!r}); print(sorted("
        "{'huggingface_hub.hf_api', 'farm.app', 'fastapi', 'uvicorn'} & set(sys.modules)))"
    )
    assert last_line(code) == "[]"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_load_no_command(arguments):
    code = f"""
import sys
from farm.cli import app
app(args={arguments!r}, standalone_mode=False)
others = {{"farm.config", "farm.client.client", "pydantic", "httpx", "numpy"}} | {HEAVY!r}
print(sorted(others & set(sys.modules)))
"""
    assert last_line(code) == "[]"


@pytest.mark.parametrize(
    "statement", ["import farm", "from farm import Client", "import farm.config"]
)
def test_what_a_notebook_imports_loads_no_database(statement):
    code = f"import sys; {statement}; print(sorted({HEAVY!r} & set(sys.modules)))"
    assert last_line(code) == "[]"
