import csv
import io

import pytest

from farm.results.manifest_csv import write_csv
from tests.unit.test_where import line

REST = dict.fromkeys(
    (
        "detail",
        "path",
        "prompt",
        "negative",
        "model",
        "reference",
        "mask",
        "adapters",
        "digest",
        "pixels",
        "sha256",
        "bytes",
        "key",
    ),
    None,
) | {
    "preview_paths": [],
    "size_paths": [],
    "attempts": 1,
    "worker": "w",
    "numerics_class": "n",
    "seconds": -0.5,
    "finished_at": 1.5,
}


def rows(*lines):
    file = io.BytesIO()
    write_csv(lambda: iter([{**line, **REST, **more} for line, more in lines]), file)
    data = file.getvalue()
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_a_row_for_each_render_and_a_column_for_each_axis():
    found = rows(
        (
            line(0, {"product": "mug", "style": {"look": "bright"}, "guidance": 3.0}),
            {"path": "a/1.png", "prompt": 'a "mug", red\nand blue'},
        ),
        (
            line(1, {"product": "лампа", "style": {"look": "dark"}, "guidance": 5}),
            {"detail": "boom"},
        ),
    )
    assert [row["product"] for row in found] == ["mug", "лампа"]
    assert [row["look"] for row in found] == ["bright", "dark"]
    assert [row["guidance"] for row in found] == ["3.0", "5"]
    assert found[0]["prompt"] == 'a "mug", red\nand blue'
    assert (found[0]["path"], found[1]["path"], found[1]["detail"]) == ("a/1.png", "", "boom")
    assert (found[0]["seed"], found[0]["steps"], found[0]["seconds"]) == ("1", "20", "-0.5")


def test_an_axis_of_the_name_of_another_column_has_one_of_its_own():
    (row,) = rows((line(0, {"prompt": "a mug", "number": 5}), {"prompt": "a mug"}))
    assert (row["number"], row["axis number"], row["axis prompt"], row["prompt"]) == (
        "0",
        "5",
        "a mug",
        "a mug",
    )


@pytest.mark.parametrize(
    "text",
    [
        "=cmd()",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "＝1",
        '=HYPERLINK("http://x")',
        "-",
    ],
)
def test_no_text_is_a_formula(text):
    (row,) = rows((line(0, {"product": text, "=key": {"=inner": "x"}}), {"prompt": text}))
    assert row["product"] == row["prompt"] == f"'{text}"
    assert not any((name or "").startswith("=") for name in row)


def test_a_mug_is_left_as_it_is():
    (row,) = rows((line(0, {"product": "mug = 5"}), {}))
    assert row["product"] == "mug = 5"
