"""The `farm` command where no worker is needed."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from PIL import Image

from actors.models.models import SEEDLING
from farm.cli import main
from tests.campaigns import data


@pytest.fixture
def farm(tmp_path, capsys, monkeypatch):
    """Runs a command, and returns what it says."""

    def run(*arguments, code=0, **environment):
        ended = 0
        with monkeypatch.context() as changed:
            for name, value in {"FARM_HOME": str(tmp_path / "home"), **environment}.items():
                changed.setenv(name, value)
            try:
                main([str(argument) for argument in arguments])
            except SystemExit as exc:
                ended = exc.code or 0
        said = capsys.readouterr()
        assert ended == code, (ended, said)
        return said.out if code == 0 else said.err

    return run


@pytest.fixture
def process(tmp_path):
    """The same in a process of its own, with a log of its own."""

    def run(*arguments, code=0, **environment):
        process = subprocess.run(
            [sys.executable, "-m", "farm.cli", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "FARM_HOME": str(tmp_path / "home"), **environment},
        )
        assert process.returncode == code, (process.returncode, process.stdout, process.stderr)
        assert "Traceback" not in process.stderr
        return process.stdout if code == 0 else process.stderr

    return run


@pytest.fixture
def file(tmp_path):
    def write(**changes):
        path = tmp_path / "campaign.yaml"
        path.write_text(yaml.safe_dump(data(**changes), sort_keys=False))
        return str(path)

    return write


@pytest.fixture
def pickled(tmp_path):
    shutil.copytree(SEEDLING, tmp_path / "pickled")
    weights = tmp_path / "pickled" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        (dict(colour="red"), r":\d+: colour", "unknown key"),
        (dict(model="/no/such/model"), r":2: model", "was not found"),
        (dict(model="pickled"), ":2: model", "only pickled weights in unet"),
        (dict(skip=[{"color": "red"}, {"color": "blue"}]), r":\d+: skip", "0 renders"),
        (
            dict(
                seeds={"count": 10**7},
                vary={"product": {"range": [1, 10**5, 1]}, "color": ["red"]},
            ),
            "",
            "1,000,000,000,000 renders",
        ),
        (dict(prompt="a {x.__class__}"), ":3: prompt", "plain field"),
        (dict(seeds=[-1]), r":\d+: seeds", "out of range"),
    ],
)
def test_a_wrong_request_is_one_sentence_with_its_place_and_exit_code_2(
    farm, file, tmp_path, pickled, changes, place, words
):
    path = file(**changes)
    for command in (["run", path], ["submit", "--dry-run", path]):
        error = farm(*command, code=2)
        assert re.search(re.escape(path) + place, error), error
        assert words in error
    assert not (tmp_path / "home" / "outputs").exists()
    assert farm("list", "--json") == ""


def test_a_warning_has_its_line_and_fails_nothing(tmp_path, file):
    path = file(vary={"product": ["mug"], "row": [{"color": "red", "shelf": "A"}]})
    process = subprocess.run(
        [sys.executable, "-m", "farm.cli", "submit", "--dry-run", "--json", path],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "FARM_HOME": str(tmp_path / "home")},
    )
    assert re.match(
        re.escape(path) + r":7: vary\.row: warning: 'shelf' is used by no template", process.stderr
    ), process.stderr
    (warning,) = json.loads(process.stdout)["warnings"]
    assert warning["path"] == ["vary", "row"]


def test_commands_without_a_farm_act_on_the_home(farm):
    assert farm("list", "--json") == ""
    assert "no campaign nothing" in farm("status", "nothing", code=4)
    assert json.loads(farm("db", "upgrade", "--json"))["revision"]
    assert farm("workers", "--json") == ""


def test_commands_that_need_workers_say_how_to_get_them(farm, file):
    error = farm("submit", file(), code=6)
    assert "farm up" in error
    assert "farm run" in error


def test_a_dry_run_names_references(farm, file, tmp_path):
    path = tmp_path / "ref.png"
    Image.new("RGB", (16, 16), "teal").save(path)
    told = farm("submit", "--dry-run", file(reference={"image": str(path)}))
    assert (
        f"reference {path} ({hashlib.sha256(path.read_bytes()).hexdigest()[:12]})"
        in told.replace("\n", "")
    )
    assert not (tmp_path / "home" / "outputs").exists()


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (
            0.001,
            (
                "about 0.001638 GPU hours, more than its budget of 0.001, at 1 s a megapixel-step"
                " as its model has no history here"
            ),
        ),
        (0.002, "about 0.001638 of its budget of 0.002 GPU hours"),
    ],
)
def test_a_dry_run_warns_where_a_budget_will_not_do(farm, file, hours, words):
    assert words in farm("submit", "--dry-run", file(budget={"gpu_hours": hours}))
    told = farm("simulate", file(budget={"gpu_hours": hours}), "--workers", "1")
    assert "makespan" in told


def test_a_dry_run_as_json_is_one_object(farm, file):
    assert json.loads(farm("submit", "--dry-run", "--json", file()))["renders"] == 18


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"FARM_PORT": "many"}, "FARM_PORT"),
        ({"FARM_PROJECT": "../x"}, "FARM_PROJECT"),
        ({"FARM_WORKERS": "0"}, "FARM_WORKERS"),
        ({"FARM_HOME": "/proc/nowhere"}, "cannot be made"),
        ({"FARM_SHARES": "acme"}, "FARM_SHARES"),
        ({"FARM_SHARES": '{"acme": 0}'}, "FARM_SHARES"),
        (
            {"FARM_QUOTAS": '{"acme": 0}'},
            "the quota of acme must be a number of workers from 1 to 100,000, not 0",
        ),
        ({"FARM_QUOTAS": '{"acme": 1.5}'}, "FARM_QUOTAS"),
        ({"FARM_QUOTAS": "4"}, "FARM_QUOTAS"),
        ({"FARM_QUOTAS": "acme"}, "FARM_SHARES and FARM_QUOTAS are written like"),
        ({"FARM_DATABASE_URL": "nonsense"}, "postgresql://user:password@host"),
        ({"FARM_DATABASE_URL": "mysql://host/farm"}, "mysql"),
    ],
)
def test_a_wrong_setting_is_named(farm, environment, words):
    assert words in farm("list", code=2, **environment)


def test_a_database_that_does_not_answer_is_named_without_its_password(farm):
    error = farm("list", code=6, FARM_DATABASE_URL="postgresql://farm:s3cret@127.0.0.1:9/farm")
    assert "does not answer" in error
    assert "s3cret" not in error


def test_a_server_without_tables_says_how_to_make_them(process, postgres):
    url = postgres.new_database()
    for command in (["list"], ["up", "--port", "0"]):
        assert "farm db upgrade" in process(*command, code=2, FARM_DATABASE_URL=url)
    process("db", "upgrade", FARM_DATABASE_URL=url)
    assert process("list", "--json", FARM_DATABASE_URL=url) == ""


def test_a_database_of_a_newer_version_is_refused(process, postgres, postgres_template):
    from sqlalchemy import text

    from storage.database import open_database

    url = postgres.new_database(postgres_template)
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert "newer Seedbed" in process("list", code=2, FARM_DATABASE_URL=url)


def test_a_length_of_time_and_a_render_are_read_with_care(farm):
    assert "30d" in farm("prune", "--older-than", "a while", code=2)
    assert json.loads(farm("prune", "--older-than", "30d", "--json"))["pruned"] == 0
    assert "CAMPAIGN/NUMBER" in farm("why", "spring/x", code=2)
    assert "no campaign spring" in farm("why", "spring/3", code=4)
    assert "no campaign spring" in farm("retry", "spring/3", code=4)


def test_a_farm_that_was_named_but_is_not_there_is_an_error(farm):
    assert "FARM_URL" in farm("list", code=6, FARM_URL="http://127.0.0.1:9")


def test_words_that_are_no_command_are_refused(farm):
    assert "No such command" in farm("pint", code=2)


def test_a_home_has_one_farm_at_a_time(farm, file, settings, tmp_path):
    from farm.app import embedded_farm
    from farm.config import read_settings

    with embedded_farm(read_settings(home=tmp_path / "home"), port=0) as first:
        token = (tmp_path / "home" / "ray.token").read_text()
        assert first.url in farm("run", file(), code=2)
        # The running farm's cluster asks for it.
        assert (tmp_path / "home" / "ray.token").read_text() == token
        assert json.loads(farm("submit", "--json", file()))["renders"]["total"] == 18
        assert farm("list", "--json").count("spring") == 1


def test_simulating_campaigns_and_traces(farm, file, tmp_path):
    plot = tmp_path / "plot.png"
    lines = farm(
        "simulate", file(), "--workers", "1,2,4", "--plot", str(plot), "--json"
    ).splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["workers"] for answer in answers] == [1, 2, 4]
    assert answers[0]["makespan"] > answers[1]["makespan"] > answers[2]["makespan"]
    with Image.open(plot) as picture:
        assert min(picture.size) > 400
    trace = tmp_path / "trace.yaml"
    trace.write_text(
        "workers: 2\npools: [{name: p}]\ncampaigns: [{name: c, model: m, renders: 100,"
        " batch_s: 1, load_s: 0}]\n"
    )
    assert re.search(r"2 +1[34]\.\d s", farm("simulate", "--trace", str(trace)))
    assert "one of the two" in farm("simulate", code=2)
    assert "no number of workers" in farm(
        "simulate", "--trace", str(trace), "--workers", "few", code=2
    )
    trace.write_text(
        "workers: 2\npools: [{name: p, grace_s: 10}]\nmissing: [p]\n"
        "campaigns: [{name: c, model: m, renders: 1, batch_s: 1}]\n"
    )
    assert "No pool gives a worker" in farm("simulate", "--trace", str(trace), code=2)


def test_orders_about_the_fleet_without_a_farm_act_on_the_home(farm):
    assert (
        json.loads(farm("scale", "--floor", "1", "--ceiling", "4", "--freeze", "--json"))["frozen"]
        is True
    )
    assert "at least 1, at most 4, frozen" in farm("scale")
    assert "There is no worker" in farm("drain", "nobody", code=4)
    assert "set FARM_TOKEN" in farm("up", "--host", "0.0.0.0", code=2)
