"""An axis may stand in a CSV file: how it is read, and how its mistakes are named."""

import pytest
import yaml

from farm.campaign.expansion import Expansion
from farm.campaign.loading import load_campaign
from farm.campaign.sources import Sources
from farm.documents.document import DocumentError
from storage.errors import RequestError
from tests.campaigns import MODEL, data


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "places.csv: there is no such file"),
        (b"", "empty"),
        (b"place\n", "empty"),
        (b"place,mood\non a beach\n", ":2: the row has 1 cells"),
        (b"place\n\xff\n", "UTF-8"),
        (b"place\nok\ncaf\xe9\n", "line 3, byte 12: 0xE9"),
        (b"place\n\xff\n", "csv: {file: places.csv, encoding: cp1252}"),
        (
            b"place,place\na,b\n",
            ":1: two columns are called 'place': every column needs a heading of its own",
        ),
        (b'place\n"open\n', "not a CSV table"),
        (
            b'place\nok\n"open\n\nx\n',
            ":3: the file is not a CSV table: a quote that opens in this row is never closed",
        ),
        (
            b'place,mood\n"on" a beach,x\n',
            ":2: the file is not a CSV table: a cell is over with its closing quote",
        ),
        (
            b"place,mood\n\n\non a beach, calm, wide\n",
            ":4: the row has 3 cells, and the heading has 2: put a text that holds a comma in",
        ),
        (b"place,mood,\na,b,\nc,d,e\n", ":3: the row has 3 cells"),
        (b"place,,mood\na,b,c\n", ":1: column 2 has no heading"),
        (b"place,mood;tone\na,b;c\n", "holds a semicolon"),
        (b"place,mood;tone\na,b;c\n", 'csv: {file: places.csv, delimiter: ";"}'),
        (b"PK\x03\x04", "save it as CSV"),
    ],
)
def test_a_bad_csv_file_is_named_with_its_line(tmp_path, content, words):
    if content is not None:
        (tmp_path / "places.csv").write_bytes(content)
    path = tmp_path / "c.yaml"
    path.write_text(
        yaml.safe_dump(
            data(
                prompt="a {color} {product} {place}",
                vary={**data()["vary"], "place": {"csv": "places.csv"}},
            )
        )
    )
    with pytest.raises(RequestError) as error:
        load_campaign(path)
    assert words in str(error.value)
    assert "vary.place.csv" in str(error.value)


def test_a_table_gives_each_row_its_seeds_size_and_settings(tmp_path):
    heading = "place,mood,seed,scheduler,steps,size\n"
    (tmp_path / "rows.csv").write_text(
        f'{heading}on a beach,calm,11,ddim,4,128x64\nat sunset,wild,"12, 13",euler,5,64x128\n'
    )
    path = tmp_path / "c.yaml"
    path.write_text(
        yaml.safe_dump(data(prompt="{place} {mood}", vary={"row": {"csv": "rows.csv"}}))
    )
    plan = Expansion(load_campaign(path).campaign, MODEL)
    found = [
        (render.shot.prompt, render.seed, plan.group(group))
        for group, render in plan.all_renders()
    ]
    assert [
        (prompt, seed, group.scheduler, group.steps, group.width, group.height)
        for prompt, seed, group in found
    ] == [
        ("on a beach calm", 11, "ddim", 4, 128, 64),
        ("at sunset wild", 12, "euler", 5, 64, 128),
        ("at sunset wild", 13, "euler", 5, 64, 128),
    ]


def test_an_empty_cell_is_nothing(tmp_path):
    (tmp_path / "rows.csv").write_text(
        "place,mood,steps,seed,lora\non a beach,,,,\nat"
        " sunset,wild,4,12,a.safetensors\n,calm,5,13,none\n"
    )
    path = tmp_path / "c.yaml"
    changes = dict(prompt="{place}", negative="{mood}", seeds=[7], settings={"steps": 9})
    path.write_text(yaml.safe_dump(data(**changes, vary={"row": {"csv": "rows.csv"}})))
    with pytest.raises(
        DocumentError, match=r"vary\.row\[2\] \(rows\.csv:4\): the prompt is empty here"
    ):
        load_campaign(path)
    path.write_text(
        yaml.safe_dump(
            data(**{**changes, "prompt": "a mug {place}"}, vary={"row": {"csv": "rows.csv"}})
        )
    )
    loaded = load_campaign(path).campaign
    plan = Expansion(loaded, MODEL, Sources(adapters={str(tmp_path / "a.safetensors"): "d"}))
    found = [
        (
            r.shot.prompt.strip(),
            r.shot.negative,
            plan.group(g).steps,
            r.seed,
            len(plan.group(g).adapters),
        )
        for g, r in plan.all_renders()
    ]
    assert found == [
        ("a mug on a beach", "", 9, 7, 0),
        ("a mug at sunset", "wild", 4, 12, 1),
        ("a mug", "calm", 5, 13, 0),
    ]


ROWS = ({"place": "on a beach, wide", "mood": "calm"}, {"place": "größer", "mood": "wild"})


@pytest.mark.parametrize(
    ("content", "csv"),
    [
        ('place,mood\n"on a beach, wide",calm\ngrößer,wild\n', "rows.csv"),
        (
            'place, mood\n"on a beach, wide", calm\ngrößer, "wild"\n',
            "rows.csv",
        ),  # a space before a quote
        ("place;mood\non a beach, wide;calm\ngrößer;wild\n", "rows.csv"),
        ("place\tmood\non a beach, wide\tcalm\ngrößer\twild\n", "rows.csv"),
        ("sep=;\nplace;mood\non a beach, wide;calm\ngrößer;wild\n", "rows.csv"),
        (
            "place;mood\non a beach, wide;calm\ngrößer;wild\n",
            {"file": "rows.csv", "delimiter": ";"},
        ),
        (
            "place\tmood\non a beach, wide\tcalm\ngrößer\twild\n",
            {"file": "rows.csv", "delimiter": "tab"},
        ),
        (
            "place^mood\non a beach, wide^calm\ngrößer^wild\n",
            {"file": "rows.csv", "delimiter": "^"},
        ),
        (
            '\nplace,mood,\n\n"on a beach, wide",calm,\n,,\ngrößer,wild,,\n,,\n,,,,\n',
            "rows.csv",
        ),  # as a spreadsheet leaves it
        ('place,mood\r\n"on a beach, wide",calm\r\ngrößer,wild\r\n', "rows.csv"),
    ],
)
def test_a_csv_file_is_read_as_spreadsheets_and_people_write_it(tmp_path, content, csv):
    (tmp_path / "rows.csv").write_text(content, encoding="utf-8", newline="")
    assert rows_of(tmp_path, csv) == ROWS


@pytest.mark.parametrize(
    ("encoding", "csv"),
    [
        ("utf-8-sig", "rows.csv"),
        ("utf-16", "rows.csv"),
        ("utf-16-le", "rows.csv"),
        ("cp1252", {"file": "rows.csv", "encoding": "cp1252"}),
        ("latin-1", {"file": "rows.csv", "encoding": "latin-1"}),
    ],
)
def test_a_csv_file_may_have_another_encoding(tmp_path, encoding, csv):
    (tmp_path / "rows.csv").write_bytes(
        'place,mood\n"on a beach, wide",calm\ngrößer,wild\n'.encode(encoding)
    )
    assert rows_of(tmp_path, csv) == ROWS


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        ({"file": "rows.csv", "delimeter": ";"}, "did you mean 'delimiter'"),
        ({"delimiter": ";"}, "`file` is needed"),
        ({"file": "rows.csv", "delimiter": "::"}, "one character"),
        ({"file": "rows.csv", "delimiter": '"'}, "one character"),
        ({"file": "rows.csv", "encoding": "klingon"}, "no encoding 'klingon'"),
    ],
)
def test_how_a_csv_file_is_read_is_checked(tmp_path, csv, words):
    (tmp_path / "rows.csv").write_text("place,mood\na,b\n")
    with pytest.raises(DocumentError, match=words):
        rows_of(tmp_path, csv)


def rows_of(folder, csv, **changes):
    path = folder / "c.yaml"
    path.write_text(
        yaml.safe_dump(data(prompt="{place} {mood}", vary={"row": {"csv": csv}}, **changes))
    )
    return load_campaign(path).campaign.axes[0].values


def test_a_mistake_in_a_row_is_told_with_the_line_of_its_file(tmp_path):
    (tmp_path / "rows.csv").write_text('place,mood,steps\n"a\nb",calm,20\n\nc,wild,many\n')
    with pytest.raises(
        DocumentError, match=r"c\.yaml:\d+: vary\.row\[1\] \(rows\.csv:5\): 'many'"
    ):
        rows_of(tmp_path, "rows.csv")


def test_a_csv_file_is_read_relative_to_the_campaign_and_numbers_in_it_are_settings(tmp_path):
    (tmp_path / "rows.csv").write_text(
        "\ufeffplace,guidance\non a beach, 3\nat sunset,5.5\n", encoding="utf-8"
    )
    path = tmp_path / "c.yaml"
    path.write_text(
        yaml.safe_dump(
            data(
                prompt="{color} {product} {place}",
                vary={**data()["vary"], "row": {"csv": "rows.csv"}},
            )
        )
    )
    rows = load_campaign(path).campaign.axes[2].values
    assert rows == (
        {"place": "on a beach", "guidance": 3.0},
        {"place": "at sunset", "guidance": 5.5},
    )
