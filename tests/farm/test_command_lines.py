"""What people type: orders to several campaigns, lists that are filtered, files with keys set,
settings, completion, and a look at a farm from afar.
"""

import io
import json
import re
import time
from types import SimpleNamespace

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app, whole
from farm.client.client import Client
from farm.commands import progress
from farm.commands.bulk import question
from farm.commands.campaign_files import campaign_paths
from farm.commands.completion import campaign_names, model_names, worker_names
from farm.commands.listing import rate_text, table_of
from farm.commands.settings import HIDDEN, without_password
from farm.commands.times import age_text, is_time, iso, with_iso_times
from farm.config import read_settings
from storage.errors import RequestError
from tests.campaigns import campaign, data


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home")


@pytest.fixture
def farm(settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARM_HOME", str(settings.home))
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        monkeypatch.setenv("FARM_URL", url)
        yield client


@pytest.fixture
def three(farm):
    for name in ("one", "two", "three"):
        farm.submit(campaign(name=name))
    return farm


def run(*words, code=0, **more):
    result = CliRunner().invoke(app, [str(word) for word in words], **more)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def lines(*words, **more):
    return [json.loads(line) for line in run(*words, "--json", **more).stdout.splitlines()]


def states(client):
    return {row.campaign: row.state for row in client.campaigns()}


def test_an_order_to_all_asks_first_and_goes_to_those_that_it_can_change(three, monkeypatch):
    three.cancel("one")
    monkeypatch.setattr("farm.commands.shared.is_interactive", lambda: True)
    asked = run("pause", "--all", input="n\n", code=1)
    assert "Pause 2 campaigns: two, three?" in asked.output
    assert states(three)["two"] == "queued"
    run("pause", "--all", input="y\n")
    assert states(three) == {"one": "cancelled", "two": "paused", "three": "paused"}


def test_without_a_person_an_order_to_all_wants_yes(three):
    refused = run("pause", "--all", code=1)
    assert "say --yes" in str(refused.exception)
    run("pause", "--state", "queued", "--yes")
    assert set(states(three).values()) == {"paused"}
    run("resume", "--all", "--yes")
    assert set(states(three).values()) == {"queued"}


def test_a_dry_run_names_campaigns_and_changes_none(three):
    assert [line["campaign"] for line in lines("cancel", "--all", "--dry-run")] == [
        "one", "two", "three",
    ]  # fmt: skip
    assert "one: would cancel" in run("cancel", "one", "--dry-run").output
    assert set(states(three).values()) == {"queued"}


def test_one_refusal_stops_none_of_the_others_and_decides_the_exit_code(three):
    result = run("pause", "nothing", "two", "three", code=4)
    assert "no campaign nothing" in result.output
    assert states(three) == {"one": "queued", "two": "paused", "three": "paused"}


def test_an_order_with_json_tells_the_whole_campaign(three):
    answers = lines("priority", "one", "two", "70")
    assert [answer["priority"] for answer in answers] == [70, 70]
    assert set(answers[0]) == set(lines("status", "one")[0])


@pytest.mark.parametrize("words", [["pause"], ["pause", "one", "--all"], ["retry", "--all", "x"]])
def test_an_order_says_in_one_way_which_campaigns_it_means(three, words):
    assert "one of the three" in str(run(*words, code=1).exception)


def test_retrying_all_without_failures_finds_nothing(three):
    assert "no campaign to retry" in run("retry", "--all").output


def test_a_question_names_the_first_campaigns():
    assert question("cancel", ["a"]) == "Cancel 1 campaign: a?"
    assert question("cancel", [str(n) for n in range(10)]).endswith("6, 7 and 2 more?")


def test_a_list_is_filtered_by_state_age_and_project(three, monkeypatch):
    three.pause("two")
    with three.of("shop") as shop:
        shop.submit(campaign(name="four"))
    assert [row["campaign"] for row in lines("list", "--state", "paused")] == ["two"]
    assert {row["project"] for row in lines("list", "-A")} == {"default", "shop"}
    assert len(lines("list", "--project", "shop")) == 1
    assert len(lines("list", "--since", "1h")) == 3
    later = time.time() + 7_200
    monkeypatch.setattr(time, "time", lambda: later)
    assert lines("list", "--since", "1h") == []
    assert "--since" not in run("list").output
    refused = run("list", "-A", "--project", "shop", code=1)
    assert "one of them" in str(refused.exception)


def test_a_list_shows_pace_end_cost_and_age(three):
    (row,) = [row for row in three.campaigns() if row.campaign == "one"]
    now = row.created_at + 7_200
    busy = row.model_copy(
        update={"renders_per_s": 0.5, "eta": now + 600, "money": 1.234, "created_at": now - 7_200}
    )
    table = table_of([busy], now, has_projects=True)
    cells = {str(column.header): next(iter(column.cells)) for column in table.columns}
    assert cells["project"] == "default"
    assert (cells["rate"], cells["left"]) == ("30/min", "10 min")
    assert cells["problems"] == ""
    assert (cells["cost"], cells["age"]) == ("1.23", "2 h")


@pytest.mark.parametrize("has_projects", [True, False])
def test_a_list_fits_a_terminal_of_80_columns(three, has_projects):
    (row,) = [row for row in three.campaigns() if row.campaign == "one"]
    counts = row.renders.model_copy(update={"done": 999, "total": 1_000, "held": 12})
    busy = row.model_copy(
        update={
            "campaign": "spring-11",
            "state": "running",
            "standstill": None,
            "renders": counts,
            "renders_per_s": 0.6,
            "eta": row.created_at + 3_000,
        }
    )
    console = Console(width=80, file=io.StringIO())
    console.print(table_of([busy], row.created_at + 60, has_projects=has_projects))
    told = [line for line in console.file.getvalue().splitlines() if line.strip()]
    assert len(told) == 3, "\n".join(told)
    assert "12 held" in told[-1]
    assert "spring-11" in told[-1]


JSON_COMMANDS = (
    "list", "status one", "why one", "pause one", "resume one", "priority one 60", "retry one",
    "cancel two", "workers", "scale", "config", "logs", "prune --older-than 1d", "brands list",
    "db upgrade", "review one", "verify one", "clean one --dry-run", "pause --all --dry-run",
)  # fmt: skip


@pytest.mark.parametrize("words", JSON_COMMANDS)
def test_what_commands_print_as_json_is_objects_whose_times_are_iso(three, words):
    answer = CliRunner().invoke(app, [*words.split(), "--json"])
    objects = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.exit_code in (0, 1), answer.output
    assert all(isinstance(told, dict) for told in objects)
    for told in objects:
        for name, value in told.items():
            if is_time(name):
                assert value is None or value.endswith("Z"), (name, value)


def test_paces_and_ages_are_in_units_that_fit():
    assert [rate_text(rate) for rate in (None, 0, 2, 0.5, 0.001)] == [
        "", "", "2/s", "30/min", "3.6/h",
    ]  # fmt: skip
    assert [age_text(age) for age in (-1, 80, 600, 7_200, 864_000)] == [
        "0 s", "80 s", "10 min", "2 h", "10 d",
    ]  # fmt: skip


def test_times_in_json_are_iso_and_nothing_else_is_changed(three):
    (row,) = lines("list", "--state", "queued", "--since", "1h")[:1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["created_at"])
    assert row["device_s"] == 0.0
    assert iso(0.25) == "1970-01-01T00:00:00.250Z"
    assert with_iso_times({"deadline": None, "eta": 0, "n": 0, "pack": {"at": 0}}) == {
        "deadline": None, "eta": "1970-01-01T00:00:00.000Z", "n": 0, "pack": {"at": 0},
    }  # fmt: skip


@pytest.fixture
def file(tmp_path):
    def write(name="c", folder=tmp_path, **changes):
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(data(**{"name": name, **changes}), sort_keys=False))
        return path

    return write


def test_keys_are_set_beside_the_file_and_checked_like_it(farm, file):
    words = ["submit", "--dry-run", file(), "--name", "other", "--set", "settings.steps=3"]
    (plan,) = lines(*words)
    assert plan["campaign"] == "other"
    farm.submit(campaign(name="c"))
    for given, message in (
        ("settings.steps=many", "--set settings.steps=many: settings.steps: 'many' is not"),
        ("priority=[", "--set priority=[: "),
        ("steps", "--set steps: write it as key=value"),
        ("name.x=1", "--set name.x=1: name is not a mapping"),
        ("colour=red", "--set colour=red: colour: unknown key"),
    ):
        refused = run("submit", "--dry-run", file(), "--set", given, code=1)
        assert message in str(refused.exception)


def test_a_number_that_is_meant_as_a_text_stays_as_it_was_written(farm, file):
    words = ["submit", "--dry-run", file(), "--set", "vary.color=[1.10, red]"]
    assert "1.10" in lines(*words)[0]["first"][0]["prompt"]


def test_several_files_folders_and_standard_input_are_submitted(farm, file, tmp_path):
    text = file("piped").read_text()
    folder = tmp_path / "all"
    file("a", folder)
    file("b", folder)
    (folder / "notes.txt").write_text("x")
    run("submit", folder, "-", input=text)
    assert set(states(farm)) == {"a", "b", "piped"}
    (folder / "a.yaml").write_text("name: [")
    assert "a.yaml" in run("submit", folder, code=2).output
    with pytest.raises(RequestError, match="names one campaign"):
        run("submit", folder, "--name", "x", code=1, catch_exceptions=False)


def test_a_folder_without_campaigns_is_said(tmp_path):
    with pytest.raises(RequestError, match="has no campaign file"):
        campaign_paths([tmp_path])


def test_piped_text_with_mistakes_names_its_lines(farm):
    refused = run("submit", "--dry-run", "-", input="name: c\nmodel: 3\n", code=1)
    assert "<standard input>:" in str(refused.exception)


def test_ctrl_c_says_that_the_campaign_goes_on(three, monkeypatch):
    def interrupted(*_arguments, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr("farm.commands.campaigns.follow", interrupted)
    told = run("watch", "one", code=130).output
    assert "goes on" in told
    assert "farm cancel one" in told
    assert states(three)["one"] == "queued"


def test_waiting_ends_after_its_timeout(three, file, monkeypatch):
    clock = iter(range(0, 100_000, 50))
    monkeypatch.setattr(progress, "time", SimpleNamespace(
        monotonic=lambda: float(next(clock)), sleep=lambda _s: None,
    ))  # fmt: skip
    told = run("watch", "one", "--timeout", "2m", code=124).output
    assert "not over after 2m" in told
    told = run("submit", file(), "--wait", "--timeout", "2m", "--json", code=124).output
    assert "farm cancel c" in told
    with pytest.raises(RequestError, match="give both"):
        run("submit", file(), "--timeout", "2m", catch_exceptions=False)


def test_names_are_completed_from_the_running_farm(three):
    assert campaign_names("t") == ["three", "two"]
    assert model_names("") == ["seedling"]
    assert worker_names("") == []


def test_completion_is_silent_without_a_farm(monkeypatch, tmp_path):
    monkeypatch.setenv("FARM_HOME", str(tmp_path))
    assert campaign_names("") == []
    monkeypatch.setenv("FARM_URL", "http://127.0.0.1:9")
    assert campaign_names("") == []
    monkeypatch.setenv("FARM_PORT", "many")
    assert campaign_names("") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell):
    assert "_FARM_COMPLETE" in run("completion", shell).output


def test_settings_say_where_they_come_from_and_hide_secrets(monkeypatch, tmp_path):
    monkeypatch.setenv("FARM_TOKEN", "planted-secret-token")
    monkeypatch.setenv("FARM_DATABASE_URL", "postgresql://farm:s3cret@db/farm?sslpassword=s3cret")
    answer = run("config", "--home", tmp_path, "--json").output
    assert "s3cret" not in answer
    assert "planted" not in answer
    rows = {row["setting"]: row for row in map(json.loads, answer.splitlines())}
    assert rows["home"]["source"] == "option"
    assert (rows["token"]["source"], rows["token"]["value"]) == ("environment", HIDDEN)
    assert rows["port"]["source"] == "default"
    assert "farm:********@db" in rows["database_url"]["value"]
    assert "s3cret" not in run("config").output


def test_addresses_are_shown_without_passwords():
    assert without_password("/a/b") == "/a/b"
    assert without_password("http://host:1/x") == "http://host:1/x"
    assert without_password("https://me:pw@host/x?sig=pw") == (
        f"https://me:{HIDDEN}@host/x?{HIDDEN}"
    )


def test_a_look_at_a_farm_from_afar_is_about_that_farm(farm, watching):
    found = {row["check"]: row for row in lines("doctor", code=1)}
    assert set(found) == {"farm", "version", "database", "leader", "outputs", "workers", "clock"}
    assert "No dispatcher leads" in found["leader"]["detail"]
    assert not found["leader"]["fine"]
    assert all(row["fine"] for name, row in found.items() if name != "leader")


def test_a_clock_that_is_off_is_said(farm, monkeypatch):
    answer = farm.diagnosis()
    late = answer.model_copy(update={"looked_at": answer.looked_at - 600})
    monkeypatch.setattr(Client, "diagnosis", lambda _client: late)
    found = {row["check"]: row for row in lines("doctor", code=1)}
    assert not found["clock"]["fine"]


def json_commands(group=None, prefix=()):
    for name, command in (group or whole()).commands.items():
        if hasattr(command, "commands"):
            yield from json_commands(command, (*prefix, name))
        elif any("--json" in parameter.opts for parameter in command.params):
            yield (*prefix, name)


def test_every_command_with_json_is_in_the_table_of_objects(request):
    page = (request.config.rootpath / "docs" / "commands.md").read_text()
    told = page.partition("## JSON")[2]
    missing = [" ".join(words) for words in json_commands() if f"`{' '.join(words)}`" not in told]
    assert not missing
