"""Pictures on their way out: from a folder or a bucket, to a folder or a bucket, and the table
beside them.
"""

import hashlib
import io
import json
import sys
from dataclasses import replace
from itertools import count
from urllib.parse import quote

import numpy as np
import pandas
import pytest
from PIL import Image, ImageCms
from typer.testing import CliRunner

from actors.pictures import files as encode
from actors.pictures.files import file_pixels_digest
from actors.pictures.profiles import MOST_BYTES, srgb
from actors.recipes.encoding import Encoding, Format
from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.client.export import CSV, INDEX, MANIFEST, PARQUET, SHEET, SUMMARY, export
from farm.client.parquet import write_parquet
from farm.config import read_settings
from farm.results.delivery import Delivery, delivered, delivery_profile, delivery_size
from farm.results.reproduce import Verdict, compare, read_picture
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.errors import OutputsError, RequestError, WorkError
from storage.keys import atlas_key
from storage.outputs import open_outputs
from tests.campaigns import campaign, expansion
from tests.farm.resting import paint

SEEDS = 2
PLACES = ["at sea", "Zürich, am See", "../../etc", "C:\\CON"]


from_everywhere = pytest.mark.parametrize("settings", ["folder", "s3"], indirect=True)


@pytest.fixture
def settings(request, tmp_path):
    """Of a farm whose pictures are in a folder, or where a test asks for it, in a bucket."""
    is_s3 = getattr(request, "param", "folder") == "s3"
    outputs = f"{request.getfixturevalue('bucket')}/farm" if is_s3 else str(tmp_path / "outputs")
    return read_settings(home=tmp_path / "home", outputs=outputs)


@pytest.fixture
def farm(settings):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        yield client


@pytest.fixture
def painted(farm, settings):
    """Forty-eight pictures, half of them of places whose names are no names of files."""
    vary = {"place": PLACES, "product": ["mug", "lamp"], "color": ["red", "blue", "green"]}
    farm.submit(campaign(prompt="a {color} {product} {place}", vary=vary, seeds={"count": SEEDS}))
    paint(settings, "spring")
    return list(farm.manifest("spring"))


@pytest.fixture(params=["folder", "s3"])
def destination(request, tmp_path):
    address = (
        f"{request.getfixturevalue('bucket')}/to/here"
        if request.param == "s3"
        else str(tmp_path / "exported")
    )
    return open_outputs(address)


def read(store, key):
    with store.open(key) as file:
        return file.read()


def place(key):
    return key.removeprefix("default/spring/")


@from_everywhere
def test_thousands_of_pictures_are_the_same_in_listing_manifest_and_database(farm, settings):
    farm.submit(
        campaign(
            vary={"take": {"range": [1, 125, 1]}},
            prompt="take {take}",
            seeds={"count": 16},
            settings={"batch": 16},
        )
    )
    paint(settings, "spring")
    farm.save_manifest("spring")
    store = settings.open_outputs()
    manifest = [
        json.loads(line) for line in read(store, "default/spring/manifest.jsonl").splitlines()
    ]
    with closing_engine(settings.database_address) as engine:
        rows = [
            outcome
            for outcome, _, _ in Campaigns(engine).outcomes(
                Campaigns(engine).get("default", "spring").id
            )
        ]
    assert len(rows) == 2000
    assert [(line["key"], line["pixels"], line["digest"]) for line in manifest] == [
        (row.key, row.pixels, row.digest) for row in rows
    ]
    atlases = {atlas_key("default", "spring", row.thumbnail.partition(":")[0]) for row in rows}
    assert len(atlases) < 100
    assert sorted(store.keys("default/spring")) == sorted(
        ["default/spring/manifest.jsonl", *atlases, *(row.key for row in rows)]
    )
    assert all(file_pixels_digest(read(store, row.key)) == row.pixels for row in rows[::50])


@from_everywhere
def test_the_sheet_is_drawn_from_where_the_pictures_are(farm, settings, painted, tmp_path):
    elsewhere = read_settings(home=tmp_path / "elsewhere")
    with open_app(elsewhere) as api, serve(api, 0) as url, Client(url) as client:
        client.submit(
            campaign(
                prompt="a {color} {product} {place}",
                vary=painted_axes(painted),
                seeds={"count": SEEDS},
            )
        )
        paint(elsewhere, "spring")
        assert client.sheet("spring") == farm.sheet("spring")


def painted_axes(lines):
    return {
        name: list(dict.fromkeys(line["coordinates"][name] for line in lines))
        for name in lines[0]["coordinates"]
    }


@from_everywhere
def test_an_export_has_every_picture_and_says_so(farm, painted, destination):
    seen = []
    done = export(
        farm, "spring", destination, on_progress=lambda done, total: seen.append((done, total))
    )
    assert (done.pictures, done.copied, done.parquet) == (48, 48, None)
    assert seen == [(k + 1, 48) for k in range(48)]
    assert set(destination.keys("")) - {place(line["key"]) for line in painted} == {
        MANIFEST,
        CSV,
        SHEET,
        SUMMARY,
        INDEX,
    }
    manifest = [json.loads(line) for line in read(destination, MANIFEST).splitlines()]
    assert manifest == [
        {**line, "path": place(line["key"]), "preview_paths": [], "size_paths": []}
        for line in painted
    ]
    for line in painted:
        assert file_pixels_digest(read(destination, place(line["key"]))) == line["pixels"]
    assert export(farm, "spring", destination).copied == 0


def test_a_summary_says_what_the_pictures_have_cost(farm, painted, destination):
    export(farm, "spring", destination)
    told = json.loads(read(destination, SUMMARY))
    assert told["status"]["renders"]["done"] == 48
    assert told["costs"] == farm.costs("spring").as_json()
    assert set(told["costs"]["waste"]) == {
        "padding", "loads", "retries", "stopped", "lost", "rejected",
    }  # fmt: skip


def test_what_is_missing_or_damaged_at_the_destination_is_copied_again(farm, painted, destination):
    export(farm, "spring", destination)
    gone, damaged, other = (place(line["key"]) for line in painted[:3])
    destination.delete(gone)
    destination.put(damaged, read(destination, damaged)[:100])
    destination.copy(place(painted[3]["key"]), other)
    assert export(farm, "spring", destination).copied == 3
    assert [file_pixels_digest(read(destination, key)) for key in (gone, damaged, other)] == [
        line["pixels"] for line in painted[:3]
    ]


def test_an_export_that_breaks_off_goes_on(farm, painted, destination, monkeypatch):
    calls, output = count(), farm.output

    def break_off(key):
        if next(calls) >= 20:
            raise WorkError("No farm answers.")
        return output(key)

    monkeypatch.setattr(farm, "output", break_off)
    with pytest.raises(WorkError, match="No farm answers"):
        export(farm, "spring", destination)
    there = list(destination.keys(""))
    assert len(there) == 20
    assert MANIFEST not in there
    monkeypatch.setattr(farm, "output", output)
    assert export(farm, "spring", destination).copied == 28


def test_pictures_that_were_changed_or_are_gone_are_left_out_and_named(
    farm, settings, painted, destination
):
    store = settings.open_outputs()
    store.copy(painted[5]["key"], painted[6]["key"])
    store.delete(painted[7]["key"])
    with pytest.raises(WorkError, match="2 of 48 pictures were left out") as caught:
        export(farm, "spring", destination)
    assert all(line["key"] in str(caught.value) for line in painted[6:8])
    assert "changed since" in str(caught.value)
    assert len(list(destination.keys(""))) == 46


def test_a_farm_that_names_files_outside_is_refused(farm, painted, destination, monkeypatch):
    monkeypatch.setattr(
        farm,
        "manifest",
        lambda _name: iter([{**painted[0], "key": "default/spring/../../outside.png"}]),
    )
    monkeypatch.setattr(farm, "output", lambda _key: b"")
    with pytest.raises(OutputsError, match="leads out"):
        export(farm, "spring", destination)


def test_a_file_whose_hash_is_kept_is_judged_by_it(farm, painted, destination, monkeypatch):
    data = farm.output(painted[0]["key"])
    kept = {
        **painted[0],
        "sha256": hashlib.sha256(data).hexdigest(),
        "pixels": "of another decoder",
    }
    monkeypatch.setattr(farm, "manifest", lambda _name: iter([kept]))
    assert export(farm, "spring", destination).copied == 1
    monkeypatch.setattr(farm, "output", lambda _key: data + b"more")
    destination.delete(place(kept["key"]))
    with pytest.raises(WorkError, match="changed since"):
        export(farm, "spring", destination)


# --- the table ---


def test_the_table_says_what_the_manifest_says(farm, painted, destination, tmp_path):
    done = export(farm, "spring", destination, parquet=True)
    assert done.parquet == f"{destination.address}/{PARQUET}"
    (tmp_path / PARQUET).write_bytes(read(destination, PARQUET))
    table = pandas.read_parquet(tmp_path / PARQUET)
    assert list(table.columns) == [*painted[0], "path", "preview_paths", "size_paths"]
    assert table["seed"].dtype == table["bytes"].dtype == "int64"
    assert table["seconds"].dtype == table["money"].dtype == "float64"
    for row, line in zip(table.to_dict("records"), painted, strict=True):
        for name in ("coordinates", "settings", "adapters", "edit"):
            assert json.loads(row.pop(name)) == line[name]
        assert list(row.pop("previews")) == list(row.pop("preview_paths")) == line["previews"]
        assert list(row.pop("size_paths")) == []
        assert row.pop("path") == place(line["key"])
        assert {name: None if pandas.isna(value) else value for name, value in row.items()} == {
            name: line[name] for name in row
        }


def test_a_table_is_written_in_groups_and_may_be_empty(tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    monkeypatch.setattr("farm.client.parquet._ROWS", 10)
    lines = [
        {
            "number": n,
            "key": None if n % 2 else f"k{n}",
            "coordinates": {"take": n},
            "previews": [],
        }
        for n in range(35)
    ]
    with (tmp_path / "t.parquet").open("wb") as file:
        write_parquet(iter(lines), file)
    assert pq.ParquetFile(tmp_path / "t.parquet").metadata.num_row_groups == 4
    assert pandas.read_parquet(tmp_path / "t.parquet")["number"].tolist() == list(range(35))
    with (tmp_path / "none.parquet").open("wb") as file:
        write_parquet(iter([]), file)
    assert len(pandas.read_parquet(tmp_path / "none.parquet")) == 0


def test_without_pyarrow_a_table_is_refused_before_anything_is_copied(
    farm, painted, destination, monkeypatch
):
    monkeypatch.setitem(sys.modules, "farm.client.parquet", None)
    with pytest.raises(RequestError, match=r"seedbed\[parquet\]"):
        export(farm, "spring", destination, parquet=True)
    assert list(destination.keys("")) == []


def test_pictures_are_delivered_in_other_sizes_and_made_again_from_their_files(
    farm, painted, tmp_path
):
    """Cut around the centre, each with its record; a second export writes none again."""
    to = open_outputs(str(tmp_path / "out"))
    sizes = [(64, 32), (200, 200)]
    first = export(
        farm, "spring", to, where=["product=mug", "color=red"], delivery=Delivery(sizes)
    )
    lines = [json.loads(line) for line in read(to, MANIFEST).splitlines()]
    assert first.pictures == len(lines) == 8
    for line in lines:
        whole = Image.open(io.BytesIO(read(to, line["path"])))
        assert [path.rpartition(".")[0].rpartition(".")[2] for path in line["size_paths"]] == [
            "64x32",
            "200x200",
        ]
        for (width, height), path in zip(sizes, line["size_paths"], strict=True):
            data = read(to, path)
            made = encode.read(data)
            assert made.pixels.shape == (height, width, 3)
            assert made.record["delivered"] == {"size": [width, height], "of": line["pixels"]}
            assert made.record["pixels"] == made.digest
        quarter = whole.height // 4
        middle = whole.crop((0, quarter, whole.width, 3 * quarter))
        middle = middle.resize((64, 32), Image.Resampling.LANCZOS)
        assert (np.asarray(middle) == encode.read(read(to, line["size_paths"][0])).pixels).all()
    page = read(to, INDEX).decode()
    assert all(quote(path) in page for line in lines for path in line["size_paths"])
    (tmp_path / "out" / lines[0]["size_paths"][1]).unlink()
    again = export(
        farm, "spring", to, where=["product=mug", "color=red"], delivery=Delivery(sizes)
    )
    assert (again.copied, again.others) == (0, 0)
    assert encode.read(read(to, lines[0]["size_paths"][1])) is not None
    for place in (lines[0]["size_paths"][0], lines[0]["path"]):
        picture = read_picture(read(to, place))
        repaint = read_picture(read(to, lines[0]["path"]))
        assert compare(picture, repaint).verdict is Verdict.IDENTICAL
    other = read_picture(read(to, lines[1]["path"]))
    assert compare(read_picture(read(to, lines[0]["size_paths"][0])), other).largest > 0


def record_of(encoding):
    return {
        "recipe": expansion().recipe(*expansion().render(0)).to_json(),
        "model_name": "seedling",
        "encoding": encoding.name,
        "numerics_class": "c",
        "versions": {},
    }


@pytest.fixture
def swapped(tmp_path):
    """The file of a profile whose red is sRGB's green, and whose green is its red."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = bytearray(made)
    count = int.from_bytes(data[128:132], "big")
    tags = {bytes(data[132 + 12 * k : 136 + 12 * k]): 132 + 12 * k for k in range(count)}
    red, green = (tags[name] for name in (b"rXYZ", b"gXYZ"))
    data[red + 4 : red + 12], data[green + 4 : green + 12] = (
        data[green + 4 : green + 12],
        data[red + 4 : red + 12],
    )
    path = tmp_path / "swapped.icc"
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize(
    "encoding",
    [Encoding(), Encoding(format=Format.JPEG, quality=95), Encoding(format=Format.WEBP)],
    ids=str,
)
def test_delivered_pictures_have_the_profile_and_look_the_same(swapped, encoding):
    """In a profile whose red is sRGB's green, red and green of each pixel change places."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    record = record_of(encoding)
    picture = encode.Picture(pixels=pixels, record=record)
    profile = delivery_profile(swapped)
    data = delivered(picture, (48, 32), profile)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == profile.icc
        meant = ImageCms.profileToProfile(
            image.convert("RGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile.icc)),
            ImageCms.createProfile("sRGB"),
        )  # fmt: skip
    near = 90 if encoding.format is Format.JPEG else 2  # of noise, which JPEG keeps badly
    made = encode.read(data)
    assert np.abs(np.asarray(meant).astype(int) - pixels).max() <= near
    assert np.abs(made.pixels[..., [1, 0, 2]].astype(int) - pixels).max() <= near
    assert made.record["delivered"]["profile"] == profile.digest
    assert made.icc == profile.icc


def test_an_export_in_a_profile_is_written_once_and_made_again_from_its_files(
    farm, painted, tmp_path, swapped
):
    to, size = open_outputs(str(tmp_path / "out")), [(64, 64)]
    where = ["product=mug", "color=red"]

    def exported(profile):
        export(farm, "spring", to, where=where, delivery=Delivery(size, profile))
        line = json.loads(read(to, MANIFEST).splitlines()[0])
        return line, read(to, line["size_paths"][0])

    line, plain = exported(None)
    assert encode.read(plain).icc is None
    _, first = exported(delivery_profile(swapped))
    assert exported(delivery_profile(swapped))[1] == first
    assert encode.read(first).icc is not None
    _, tagged = exported(delivery_profile("srgb"))
    assert encode.read(tagged).icc == delivery_profile("sRGB").icc
    assert (encode.read(tagged).pixels == encode.read(plain).pixels).all()
    repaint = read_picture(read(to, line["path"]))
    lost = replace(read_picture(first), icc=read_picture(tagged).icc)
    for picture in (lost, replace(lost, icc=None), replace(lost, icc=b"x")):
        with pytest.raises(RequestError, match="does not carry the colour profile"):
            compare(picture, repaint)
    without = encode.write(lost.pixels, lost.record, "", encode.Encoding())
    with pytest.raises(RequestError, match="does not carry the colour profile"):
        read_picture(without)  # which is before the picture is painted again
    for data in (plain, first, tagged):
        assert compare(read_picture(data), repaint).verdict is Verdict.IDENTICAL


def test_a_profile_that_cannot_be_used_is_a_sentence(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    (tmp_path / "lab.icc").write_bytes(lab)
    (tmp_path / "no.icc").write_bytes(b"no profile")
    (tmp_path / "large.icc").write_bytes(srgb().icc + bytes(MOST_BYTES))
    for name, words in (
        ("none.icc", "cannot be read: No such file"),
        ("large.icc", "it is larger than 4,194,304 bytes"),
        ("no.icc", "it is no ICC profile"),
        ("lab.icc", "it is for Lab, and pictures are delivered in red, green and blue"),
    ):
        with pytest.raises(RequestError, match=words):
            delivery_profile(str(tmp_path / name))


@pytest.mark.parametrize("written", ["1200", "1200x", "8x600", "5000x5000", "0x100", "1200*628"])
def test_a_size_that_cannot_be_delivered_is_a_sentence(written):
    with pytest.raises(RequestError, match=r"no size: write|are not made"):
        delivery_size(written)


@pytest.mark.parametrize("encoding", [Encoding(format=Format.JPEG, quality=80), Encoding()])
def test_a_delivered_file_is_compared_as_it_was_written(encoding):
    """A lossy file gives pixels up twice: as it was painted, and as it was delivered."""
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    record = record_of(encoding)
    painted = encode.read(encode.write(pixels, record, "", encoding))
    file = delivered(painted, (48, 24))
    now = read_picture(encode.write(pixels, record, "", encoding))
    assert compare(read_picture(file), now).largest == 0
    with pytest.raises(RequestError, match="no whole record of the farm"):
        delivered(encode.Picture(pixels=pixels, record=None), (48, 24))


def test_the_command_exports(farm, painted, settings, destination, monkeypatch):
    monkeypatch.setenv("FARM_HOME", str(settings.home))
    monkeypatch.setenv("FARM_OUTPUTS", settings.outputs)
    done = CliRunner().invoke(
        app, ["export", "spring", destination.address, "--parquet", "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {
        "campaign": "spring",
        "destination": destination.address,
        "pictures": 48,
        "copied": 48,
        "manifest": f"{destination.address}/manifest.jsonl",
        "parquet": f"{destination.address}/manifest.parquet",
        "csv": f"{destination.address}/manifest.csv",
        "index": f"{destination.address}/index.html",
        "sheet": f"{destination.address}/sheet.png",
        "no_sheet": None,
        "others": 0,
        "first_others": [],
        "deleted": 0,
    }
    done = CliRunner().invoke(app, ["export", "spring", destination.address])
    assert f"48 pictures in {destination.address}, 0 of them copied now" in done.output


# --- what else an export is asked for ---

SMALL = {
    "settings": {"steps": 6},
    "previews": {"every": 2},
    "vary": {"product": ["mug", "lamp"], "strength": [0.3, 0.9]},
    "prompt": "a {product}",
}


@pytest.fixture
def small(farm, settings, tmp_path):
    """Eight pictures that begin from a reference, a part of them with two previews; the others
    make too few steps for any.
    """
    Image.new("RGB", (128, 128), "teal").save(tmp_path / "teal.png")
    farm.submit(
        campaign(**SMALL, reference={"image": str(tmp_path / "teal.png")}, seeds={"count": SEEDS})
    )
    paint(settings, "spring")
    return list(farm.manifest("spring"))


def keys(store):
    return sorted(store.keys(""))


def manifest_of(store):
    return [json.loads(line) for line in read(store, MANIFEST).splitlines()]


OWN = {MANIFEST, CSV, SHEET, INDEX, SUMMARY}


@from_everywhere
def test_a_campaign_with_a_reference_and_previews_is_exported(farm, small, destination):
    assert sorted(len(line["previews"]) for line in small) == [0] * 4 + [2] * 4
    assert export(farm, "spring", destination).pictures == 8
    lines = manifest_of(destination)
    assert set(keys(destination)) - OWN == {
        path for line in lines for path in (line["path"], *line["preview_paths"])
    }
    assert [len(line["preview_paths"]) for line in lines] == [
        len(line["previews"]) for line in small
    ]


def test_previews_can_be_left_out_and_fetched_later(farm, small, destination):
    assert export(farm, "spring", destination, previews=False).pictures == 8
    assert not [key for key in keys(destination) if key.endswith(".webp")]
    assert [line["preview_paths"] for line in manifest_of(destination)] == [[]] * 8
    done = export(farm, "spring", destination)
    assert (done.copied, done.others) == (0, 0)
    assert len([key for key in keys(destination) if key.endswith(".webp")]) == 8


def test_a_preview_that_is_damaged_at_the_destination_is_copied_again(farm, small, destination):
    export(farm, "spring", destination)
    key = next(key for key in keys(destination) if key.endswith(".webp"))
    whole = read(destination, key)
    destination.put(key, whole[:30])
    export(farm, "spring", destination)
    assert read(destination, key) == whole


def test_pictures_are_named_as_one_asks(farm, small, destination):
    export(farm, "spring", destination, names="{product}/{strength}_{seed}")
    lines = manifest_of(destination)
    assert [line["path"] for line in lines][:2] == [
        f"mug/0.3_{line['seed']}.png" for line in small[:2]
    ]
    assert lines[2]["preview_paths"] == [
        f"mug/0.9_{small[2]['seed']}.step00{step}.webp" for step in (2, 4)
    ]
    assert set(keys(destination)) - OWN == {
        path for line in lines for path in (line["path"], *line["preview_paths"])
    }
    assert f"./mug/0.9_{small[2]['seed']}.png" in read(destination, INDEX).decode()


def test_some_renders_are_exported(farm, small, destination):
    done = export(farm, "spring", destination, where=["product=lamp", "strength=0.90"])
    assert (done.pictures, len(manifest_of(destination))) == (2, 2)
    assert {line["coordinates"]["product"] for line in manifest_of(destination)} == {"lamp"}
    assert read(destination, SHEET) != farm.sheet("spring")
    assert read(destination, SHEET) == farm.sheet("spring", where=["product=lamp", "strength=0.9"])
    assert read(destination, INDEX).decode().count("<article") == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"where": ["prodct=mug"]}, "did you mean 'product'"),
        ({"where": ["product=mugs"]}, "did you mean 'mug'"),
        ({"where": ["mug"]}, "NAME=VALUE"),
        ({"names": "{prodct}_{seed}"}, "did you mean 'product'"),
        ({"names": "{product}"}, "renders 0 and 1 would both be called 'mug.png'"),
        ({"names": "../{product}_{seed}"}, "leads out of the folder"),
        ({"names": "{product:x}"}, "only names like"),
    ],
)
def test_what_cannot_be_exported_so_is_refused_before_anything_is_copied(
    farm, small, destination, changes, words
):
    with pytest.raises(RequestError, match=words):
        export(farm, "spring", destination, **changes)
    assert keys(destination) == []


def test_places_whose_names_are_no_names_of_files_are_refused_or_made_some(
    farm, painted, destination
):
    with pytest.raises(RequestError, match=r"the place '../../etc' has '/'.* \{place:slug\}"):
        export(farm, "spring", destination, names="{place}_{number}")
    assert keys(destination) == []
    export(farm, "spring", destination, names="{place:slug}_{number}")
    assert {key.partition("_")[0] for key in set(keys(destination)) - OWN} == {
        "at-sea",
        "zürich-am-see",
        "etc",
        "c-con",
    }


def test_what_an_update_retired_is_named_and_removed_when_asked_for(
    farm, settings, small, destination, tmp_path
):
    export(farm, "spring", destination)
    farm.submit(
        campaign(
            **{**SMALL, "vary": {"product": ["mug"], "strength": [0.9]}},
            reference={"image": str(tmp_path / "teal.png")},
            seeds={"count": SEEDS},
        ),
        update=True,
    )
    destination.put(".hidden/notes.txt", b"mine")
    done = export(farm, "spring", destination)
    assert (done.pictures, done.copied, done.others, done.deleted) == (2, 0, 6 + 4, 0)
    assert len(done.first_others) == 5
    before = keys(destination)
    done = export(farm, "spring", destination, delete=True)
    assert (done.others, done.deleted) == (10, 10)
    left = keys(destination)
    assert set(before) - set(left) >= set(done.first_others)
    assert set(left) - OWN - {".hidden/notes.txt"} == {
        path
        for line in manifest_of(destination)
        for path in (line["path"], *line["preview_paths"])
    }
    assert read(destination, ".hidden/notes.txt") == b"mine"
    assert export(farm, "spring", destination, delete=True).others == 0


def test_a_folder_of_somebody_else_is_not_emptied(farm, small, destination):
    destination.put("holiday.jpg", b"mine")
    with pytest.raises(
        RequestError, match=r"files that no export has written, such as holiday.jpg"
    ):
        export(farm, "spring", destination, delete=True)
    assert keys(destination) == ["holiday.jpg"]
    done = export(farm, "spring", destination)
    assert (done.others, list(done.first_others)) == (1, ["holiday.jpg"])
    assert (
        export(farm, "spring", destination, delete=True).deleted == 1
    )  # whoever was told, and asks for it


def test_an_export_with_other_names_that_breaks_off_goes_on(farm, small, destination, monkeypatch):
    """Killed over the files of an older version, whose manifest is not true any more: the same
    command again ends well.
    """
    export(farm, "spring", destination, names="{product}_{strength}_{seed}")
    output, calls = farm.output, count()

    def break_off(key):
        if next(calls) >= 4:
            raise WorkError("No farm answers.")
        return output(key)

    monkeypatch.setattr(farm, "output", break_off)
    with pytest.raises(WorkError, match="No farm answers"):
        export(farm, "spring", destination, delete=True)
    assert MANIFEST not in keys(destination)
    monkeypatch.setattr(farm, "output", output)
    done = export(farm, "spring", destination, delete=True)
    assert (done.pictures, done.deleted) == (8, 16)
    assert set(keys(destination)) - OWN == {
        path
        for line in manifest_of(destination)
        for path in (line["path"], *line["preview_paths"])
    }


def test_an_export_of_what_has_not_ended_says_so(farm, settings, destination):
    farm.submit(campaign())
    export(farm, "spring", destination)
    page = read(destination, INDEX).decode()
    assert "0 renders. 18 renders of the campaign had not ended when this was written." in page
    assert manifest_of(destination) == []


def test_what_browsers_do_not_show_has_a_small_copy(farm, settings, destination):
    farm.submit(campaign(output={"format": "jxl"}, seeds={"count": 1}))
    paint(settings, "spring")
    export(farm, "spring", destination)
    small = [key for key in keys(destination) if key.endswith(".small.webp")]
    assert len(small) == 6
    destination.delete(small[0])
    assert export(farm, "spring", destination).others == 0
    assert small == [key for key in keys(destination) if key.endswith(".small.webp")]
    in_srgb = Delivery([(64, 64)], delivery_profile("srgb"))
    with pytest.raises(RequestError, match="JPEG XL are delivered without a profile"):
        export(farm, "spring", destination, delivery=in_srgb)


def test_a_campaign_too_large_for_a_sheet_is_exported_without(
    farm, settings, destination, monkeypatch
):
    farm.submit(campaign(seeds={"count": 1}))
    paint(settings, "spring")
    monkeypatch.setattr("farm.results.sheet_pages.MAX_CELLS", 5)
    done = export(farm, "spring", destination)
    assert done.sheet is None
    assert "too many for one sheet" in done.no_sheet
    assert SHEET not in keys(destination)


def test_the_command_says_what_else_lies_there(farm, small, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("FARM_URL", farm.url)
    there = str(tmp_path / "there")

    def run(*arguments):
        return CliRunner().invoke(app, ["export", "spring", there, *arguments])

    refused = run("--profile", "srgb")
    assert isinstance(refused.exception, RequestError)
    assert "name one with --size, too" in str(refused.exception)
    assert run("--no-previews", "--names", "{product}_{strength}_{seed}").exit_code == 0
    told = run("--where", "product=mug", "--where", "strength=0.3").stdout
    assert "2 pictures in" in told
    assert "8 other files lie there, which --delete removes: lamp_0.3_" in told
    assert (
        "8 other files were removed: lamp_0.3_"
        in run("--where", "product=mug", "--where", "strength=0.3", "--delete").stdout
    )
