"""What the documents say is what the code has."""

import re
from pathlib import Path

import pytest

from actors.models.families import FAMILIES
from actors.models.schedulers import SCHEDULERS
from farm.campaign.loading import load_campaign
from farm.campaign.schema import Campaign
from farm.campaign.settings import Settings
from farm.cli import COMMANDS, whole
from farm.config import Settings as FarmSettings
from storage.event_kinds import EventKind
from storage.states import RenderState

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text()
LIFE = (ROOT / "docs" / "a-renders-life.md").read_text()


def rows(text, section=""):
    """The first cells of the tables of a document, or of one section of it."""
    part = text.partition(f"## {section}\n")[2].partition("\n## ")[0] if section else text
    return {
        name
        for cell in re.findall(r"^\| (`.*?`|\w+)[^|]* \|", part, re.MULTILINE)
        for name in re.findall(r"[\w-]+", cell)
    }


def commands(group=None, prefix="farm"):
    for name, command in (group or whole()).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}"


def test_every_command_is_documented():
    missing = [command for command in commands() if f"`{command}" not in COMMANDS_PAGE]
    assert not missing


def test_the_list_of_commands_says_of_each_what_its_own_help_begins_with():
    for name, command in whole().commands.items():
        assert command.help.replace("\n", " ").startswith(COMMANDS[name][1]), name


def test_every_command_that_is_documented_is_there():
    known = set(commands()) | {
        "farm adapters",
        "farm db",
        "farm webhooks",
        "farm bench",
        "farm brands",
        "farm drift",
        "farm links",
        "farm files",
        "farm models",
        "farm notify",
        "farm projects",
        "farm tokens",
    }
    for words in re.findall(r"`farm ([a-z]+)", README + COMMANDS_PAGE):
        assert f"farm {words}" in known


def test_every_setting_is_documented():
    text = (ROOT / "docs" / "settings.md").read_text()
    assert set(re.findall(r"^\| `(FARM_\w+)`", text, re.MULTILINE)) == {
        f"FARM_{name.upper()}" for name in FarmSettings.model_fields
    }


def test_every_key_of_a_campaign_is_documented():
    text = (ROOT / "docs" / "campaign-file.md").read_text()
    keys = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert keys == set(Campaign.model_fields) | set(Settings.model_fields)
    assert all(f"`{name}`" in text for name in SCHEDULERS)


def test_every_family_is_documented_with_what_it_takes():
    text = (ROOT / "docs" / "models.md").read_text()
    lines = {
        row[1].strip("`"): row
        for row in (
            [cell.strip() for cell in line.split("|")[1:]]
            for line in text.splitlines()
            if "Pipeline` |" in line
        )
    }
    assert list(lines) == [family.pipeline for family in FAMILIES]
    assert f"\n{len(FAMILIES)} families of pipelines" in README
    for family in FAMILIES:
        name, _, negative, guidance, schedulers, multiple, reference, edits, adapters, _ = lines[
            family.pipeline
        ]
        assert (name, int(multiple)) == (family.name, family.multiple_of)
        assert [negative, reference, adapters] == [
            "yes" if has else "no"
            for has in (family.has_negative, family.image_to_image, family.takes_adapters)
        ]
        assert edits == str(family.edits or "no")
        assert ("must be named" if family.guidance is None else f"`{family.guidance}`") in guidance
        assert "the same" in schedulers or schedulers.startswith(f"`{family.schedulers[0]}`")


def test_the_campaign_in_the_readme_is_one(tmp_path):
    (block,) = [
        block
        for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
        if "spring-launch" in block
    ]
    path = tmp_path / "c.yaml"
    path.write_text(block)
    assert load_campaign(path).campaign.name == "spring-launch"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name
)
def test_every_example_is_a_campaign(path):
    load_campaign(path)


def test_every_target_that_the_readme_names_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README + GUIDE, re.MULTILINE))
    assert {"demo", "test", "test-fast"} <= named <= targets


def test_every_path_that_the_guide_for_contributors_names_is_there():
    paths = re.findall(r"`((?:farm|actors|storage|tests|docs|dashboards)/[\w./-]*)`", GUIDE)
    assert len(paths) >= 30
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_room_is_in_the_guide_for_contributors():
    rooms = {
        f"{path.parent.relative_to(ROOT).as_posix()}/"
        for floor in ("farm", "actors")
        for path in (ROOT / floor).glob("*/__init__.py")
    }
    told = set(re.findall(r"^\| `([\w/]+/)` \|", GUIDE, re.MULTILINE))
    assert rooms - {"farm/bench/", "actors/bench/", "actors/seedling/"} <= told


def test_every_link_leads_somewhere():
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_function_in_a_renders_life_exists():
    names = set(re.findall(r"`((?:farm|actors|storage)\.[\w.]+)`", LIFE))
    assert len(names) >= 15
    for name in names - {"farm.yaml"}:
        path, *inside = _split(name)
        source = path.read_text()
        for part in inside:
            assert re.search(rf"^\s*(def|class) {part}\b", source, re.MULTILINE), name


def _split(name):
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length]).with_suffix(".py")
        if path.is_file():
            return path, *parts[length:]
    raise AssertionError(f"no module {name}")


def test_the_states_in_a_renders_life_are_the_states():
    assert rows(LIFE, "Where a render can be") - {"state"} == {
        state.value for state in RenderState
    }


def test_every_kind_of_event_is_documented():
    page = (ROOT / "docs" / "events.md").read_text().partition("## Kinds\n")[2]
    cells = re.findall(r"^\| (`[a-z_.`, ]+`) \|", page.partition("\n## ")[0], re.MULTILINE)
    named = re.findall(r"`([a-z_.]+)`", " ".join(cells))
    assert sorted(named) == sorted(EventKind)


def test_every_metric_is_documented(engine):
    from farm.api.metrics.exposition import Metrics
    from storage.metering import Metering

    text = (ROOT / "docs" / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `(farm_\w+)`", text, re.MULTILINE))
    metrics, served = Metrics(Metering(engine, "one")), set()
    metrics.update()
    for family in metrics.registry.collect():
        served.add(f"{family.name}_total" if family.type == "counter" else family.name)
    assert served == documented


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_prose_has_at_most_99_columns(path):
    is_code, long = False, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        is_code ^= line.lstrip().startswith("```")
        if not is_code and not line.lstrip().startswith("|") and len(line) > 99:
            long.append(number)
    assert long == []
