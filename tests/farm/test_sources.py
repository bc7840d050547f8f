"""References and adapters, from a campaign file to the jobs of workers: real files, a real bucket,
no dispatcher.
"""

import hashlib
import io
import json
import os
from urllib.parse import quote

import boto3
import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors.numpy import save_file

from actors.models.models import find_model
from actors.pictures.reference import MAX_BYTES
from actors.recipes.jobs import ChunkJob
from farm.campaign.checks import parse_campaign
from farm.campaign.loading import load_campaign
from farm.campaign.specs import expansion_of
from farm.dispatch.chunk_job import chunk_job
from farm.documents.document import DocumentError
from farm.results.manifest import manifest_lines
from farm.service.brands import BrandService
from farm.service.checking import CampaignChecks
from farm.service.intake import Intake
from farm.service.local_files import LocalFiles
from farm.service.submission import Submissions
from storage.author import Author, author
from storage.errors import OutputsAway, RequestError
from storage.outputs import FolderOutputs, open_outputs
from storage.reviews import Reviews
from storage.rows import RenderOutcome, Settlement
from storage.s3 import S3Outputs
from storage.states import Reason, RenderState
from tests.campaigns import MODEL, data

FACTS = {"batch_s": [0.3], "megapixel_steps": 1.0}
LAYER = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


def picture(path, shade=90):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 32), (shade, 20, 20)).save(path)
    return path


def adapter(path, *, inside=128, value=0.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    down, up = np.full((2, inside), value, np.float32), np.ones((128, 2), np.float32)
    save_file({f"{LAYER}.lora_A.weight": down, f"{LAYER}.lora_B.weight": up}, path)
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def service(campaigns, control, watching, outputs, brands):
    return Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs, brands=brands,
        chunk=100,
    )  # fmt: skip


@pytest.fixture
def load(tmp_path):
    """Write a campaign file beside what it names, and read it as `farm submit` does."""

    def load(folder="shop", **changes):
        path = tmp_path / folder / "campaign.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(data(**changes), sort_keys=False))
        return load_campaign(path).campaign.model_dump(mode="json")

    return load


@pytest.fixture
def jobs(queue):
    """What workers get of a campaign, until nothing is left."""
    session = queue.lead(owner="o", host="h", pid=1)

    def jobs(row) -> list[ChunkJob]:
        chunks = iter(lambda: queue.claim(session, [(row.id, "w")]), [])
        return [chunk_job(row, expansion_of(row.spec), chunk) for (chunk,) in chunks]

    jobs.session = session
    return jobs


def test_a_reference_and_adapters_reach_the_worker(service, load, jobs, outputs, tmp_path):
    image, lora = (
        picture(tmp_path / "shop/ref.png"),
        adapter(tmp_path / "shop/style/a.safetensors"),
    )
    row, _ = service.submit(
        "p",
        load(
            reference={"image": "ref.png", "strength": 0.5},
            adapters=[{"lora": "style", "scale": 0.7}],
        ),
    )
    (job,) = jobs(row)
    assert (job.group.strength, job.group.pipeline) == (0.5, "StableDiffusionImg2ImgPipeline")
    assert [(a.digest, a.scale) for a in job.group.adapters] == [(digest(lora), 0.7)]
    assert job.adapter_paths == (str(tmp_path / "shop/style"),)
    assert {p.reference for p in job.pictures} == {digest(image)}
    assert job.references == {digest(image): f"p/references/{digest(image)}"}
    assert job.addresses == {digest(image): str(image)}
    assert outputs.read(job.references[digest(image)], 10_000) == image.read_bytes()


def test_pictures_with_different_references_share_their_batches(service, load, jobs, tmp_path):
    shots = [
        picture(tmp_path / f"shop/{name}.png", shade) for name, shade in (("a", 10), ("b", 200))
    ]
    row, _ = service.submit(
        "p",
        load(
            vary={
                **data()["vary"],
                "reference": ["a.png", "none", "b.png"],
                "strength": [0.5, 0.9],
            }
        ),
    )
    by_strength = {}
    for job in jobs(row):
        by_strength.setdefault(job.group.strength, []).append(job)
    assert set(by_strength) == {None, 0.5, 0.9}
    assert len(by_strength[0.5]) == 1
    assert {p.reference for p in by_strength[0.5][0].pictures} == {digest(shot) for shot in shots}
    assert by_strength[None][0].group.pipeline == "StableDiffusionPipeline"
    assert {p.reference for p in by_strength[None][0].pictures} == {None}


def test_adapters_can_be_an_axis(service, load, jobs, tmp_path):
    house, look = (
        adapter(tmp_path / "shop/house.safetensors"),
        adapter(tmp_path / "shop/look.safetensors", value=2),
    )
    looks = [{"lora": "look.safetensors", "lora_scale": 0.5}, {"lora": "none", "lora_scale": 1}]
    row, _ = service.submit(
        "p", load(adapters=[{"lora": "house.safetensors"}], vary={**data()["vary"], "look": looks})
    )
    groups = [tuple((a.digest, a.scale) for a in job.group.adapters) for job in jobs(row)]
    assert sorted(groups) == sorted(
        [((digest(house), 1.0),), ((digest(house), 1.0), (digest(look), 0.5))]
    )


def test_paths_in_a_csv_file_and_in_rules_are_those_of_the_campaign(service, load, tmp_path):
    for name in "ab":
        picture(tmp_path / f"shop/{name}.png", ord(name))
    (tmp_path / "shop/looks.csv").write_text("reference,strength\na.png,0.4\nb.png,0.8\n")
    rule = {"reference": "b.png", "color": "red"}
    row, _ = service.submit(
        "p", load(vary={**data()["vary"], "look": {"csv": "looks.csv"}}, skip=[rule])
    )
    assert row.total == 27
    assert {expansion_of(row.spec).group(k).strength for k in range(2)} == {0.4, 0.8}


def test_a_campaign_is_the_same_wherever_its_files_lie(service, outputs, brands, load, tmp_path):
    for folder in ("shop", "elsewhere"):
        for name in "ab":
            picture(tmp_path / folder / f"{name}.png", ord(name))
        adapter(tmp_path / folder / "l.safetensors")
    changes = dict(
        reference={"image": "a.png"}, vary={**data()["vary"], "reference": ["a.png", "b.png"]},
        adapters=[{"lora": "l.safetensors"}],
        seeds={"count": 2, "per": ["reference"]}, skip=[{"reference": "b.png", "color": "red"}],
    )  # fmt: skip
    first, did = service.submit("p", load(**changes))
    again, did_again = service.submit("p", load("elsewhere", **changes))
    assert (did["created"], did_again["created"], again.id) == (True, False, first.id)
    here = expansion_of(first.spec)
    there = expansion_of({**first.spec, **spec_of(outputs, brands, load("elsewhere", **changes))})
    assert names(here) == names(there)


def spec_of(outputs, brands, campaign):
    return CampaignChecks(Intake(outputs), BrandService(brands)).check("p", campaign)[1]


def names(expansion):
    return {
        (render.shot.key, render.seed, expansion.recipe(group_no, render).digest)
        for group_no, render in expansion.all_renders()
    }


def test_a_file_that_changed_makes_another_campaign_and_nothing_of_the_one_submitted(
    service, load, jobs, outputs, tmp_path
):
    image = picture(tmp_path / "shop/ref.png", 10)
    before = image.read_bytes()
    row, _ = service.submit("p", load(reference={"image": "ref.png"}))
    old = digest(image)
    picture(image, 200)
    with pytest.raises(
        RequestError,
        match=rf"(?s)A different campaign spring.*-  image: {old}.*\+  image: {digest(image)}",
    ):
        service.submit("p", load(reference={"image": "ref.png"}))
    image.unlink()
    (job,) = jobs(row)
    assert outputs.read(job.references[old], 10_000) == before


def test_an_update_paints_again_what_begins_from_a_changed_file(
    service, load, jobs, settling, tmp_path
):
    for name in "ab":
        picture(tmp_path / f"shop/{name}.png", ord(name))
    changes = dict(vary={**data()["vary"], "reference": ["a.png", "b.png"]})
    row, _ = service.submit("p", load(**changes))
    for job in jobs(row):
        settle(settling, jobs.session, row, job)
    picture(tmp_path / "shop/b.png", 250)
    _, did = service.submit("p", load(**changes), update=True)
    assert did["updated"] == {"kept": 18, "new": 18, "retired": 18}


def settle(settling, session, row, job):
    outcomes = tuple(
        RenderOutcome(
            number=p.number,
            digest=job.recipe(p).digest,
            state=RenderState.DONE,
            reason=Reason.PAINTED,
            key=p.key,
        )
        for p in job.pictures
    )
    settlement = Settlement(
        chunk_id=job.chunk_id,
        campaign_id=row.id,
        lease=job.lease,
        worker="w",
        outcome="painted",
        outcomes=outcomes,
        facts=FACTS,
    )
    assert settling.settle(session, [settlement])


def test_the_manifest_names_what_pictures_were_made_from(
    engine, service, load, jobs, settling, campaigns, tmp_path
):
    image, lora = picture(tmp_path / "shop/ref.png"), adapter(tmp_path / "shop/a.safetensors")
    row, _ = service.submit(
        "p",
        load(
            vary={"product": ["mug"], "color": ["red"], "reference": ["ref.png", "none"]},
            adapters=[{"lora": "a.safetensors"}],
        ),
    )
    for job in jobs(row):
        settle(settling, jobs.session, row, job)
    lines = list(manifest_lines(campaigns, Reviews(engine), campaigns.by_id(row.id)))
    assert [line["reference"] for line in lines] == 3 * [
        {"address": str(image), "digest": digest(image)}
    ] + 3 * [None]
    assert [line["settings"]["strength"] for line in lines] == 3 * [0.6] + 3 * [None]
    assert lines[0]["adapters"] == [{"path": str(lora), "digest": digest(lora), "scale": 1.0}]
    assert lines[0]["shot"].startswith("red_mug_ref_")
    json.dumps(lines)


def test_a_dry_run_tells_and_writes_nothing(estimates, load, outputs, tmp_path):
    image = picture(tmp_path / "shop/ref.png")
    plan = estimates.plan(load(reference={"image": "ref.png"}))
    assert plan["references"] == {str(image): digest(image)}
    assert plan["first"][0]["reference"] == str(image)
    assert list(outputs.keys("")) == []


def too_large(path):
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)


def varied(**axes):
    return {"vary": {**data()["vary"], **axes}}


def nothing(_folder):
    pass


# What lies beside the campaign, what it says, where that is wrong, and why.
HOSTILE = {
    "no reference": (
        nothing,
        dict(reference={"image": "gone.png"}),
        "reference.image",
        "there is no such file",
    ),
    "a folder": (nothing, dict(reference={"image": "."}), "reference.image", "it is no file"),
    "a pipe that never ends": (
        lambda f: os.mkfifo(f / "pipe"),
        dict(reference={"image": "pipe"}),
        "reference.image",
        "it is no file",
    ),
    "no picture": (
        lambda f: (picture(f / "a.png"), (f / "x.png").write_text("hello")),
        varied(reference=["a.png", "x.png"]),
        "vary.reference[1]",
        "no picture",
    ),
    "too large": (
        lambda f: too_large(f / "x.png"),
        dict(reference={"image": "x.png"}),
        "reference.image",
        "larger than 64 MB",
    ),
    "one picture twice": (
        lambda f: [picture(f / name) for name in ("a.png", "b.png")],
        varied(reference=["a.png", "b.png"]),
        "vary.reference[1]",
        "by another name",
    ),
    "an address on the web": (
        nothing,
        dict(reference={"image": "https://x.example/a.png"}),
        "reference.image",
        (
            "reference https://x.example/a.png: it is an address on the web, and there is no such"
            " file here: download it"
        ),
    ),
    "an adapter on the web": (
        nothing,
        dict(adapters=[{"lora": "HTTPS://x.example/a"}]),
        "adapters[0].lora",
        "it is an address on the web",
    ),
    "another kind of bucket": (
        nothing,
        varied(reference=["gs://b/a.png", "none"]),
        "vary.reference[0]",
        "addresses like gs:// are not",
    ),
    "an adapter in a bucket": (
        nothing,
        dict(adapters=[{"lora": "s3://b/a.safetensors"}]),
        "adapters[0].lora",
        "only references come from",
    ),
    "a bucket in capitals": (
        nothing,
        dict(reference={"image": "S3://b/a.png"}),
        "reference.image",
        "by s3:// in small letters",
    ),
    "a picture in the campaign": (
        nothing,
        dict(reference={"image": "data:image/png;base64,iVBO"}),
        "reference.image",
        "cannot stand in",
    ),
    "a file of another machine": (
        nothing,
        dict(reference={"image": "file://nas/a.png"}),
        "reference.image",
        "addresses like file://",
    ),
    "nobody's home": (
        nothing,
        dict(reference={"image": "/x/~/a.png"}),
        "reference.image",
        "there is no such file",
    ),
    "a pattern": (
        lambda f: picture(f / "a.png"),
        varied(reference=["none", "*.png"]),
        "vary.reference[1]",
        "there is no such file. Patterns are not expanded: name each file.",
    ),
    "a pattern of adapters": (
        nothing,
        dict(adapters=[{"lora": "styles/*"}]),
        "adapters[0].lora",
        "Patterns are not expanded",
    ),
    "an empty file": (
        lambda f: (f / "x.png").touch(),
        dict(reference={"image": "x.png"}),
        "reference.image",
        "the file is empty",
    ),
    "a drawing": (
        lambda f: (f / "x.svg").write_text("<svg/>"),
        dict(reference={"image": "x.svg"}),
        "reference.image",
        "an SVG drawing",
    ),
    "a LoHa": (
        lambda f: save_file({"lora_unet_x.hada_w1_a": np.zeros((4, 4))}, f / "a.safetensors"),
        dict(adapters=[{"lora": "a.safetensors"}]),
        "adapters[0].lora",
        "it is a LoHa (lora_unet_x.hada_w1_a)",
    ),
    "a bucket that nobody allowed": (
        nothing,
        dict(reference={"image": "s3://theirs/a.png"}),
        "reference.image",
        "FARM_REFERENCE_BUCKETS",
    ),
    "no adapter": (
        nothing,
        dict(adapters=[{"lora": "gone.safetensors"}]),
        "adapters[0].lora",
        "no file or folder",
    ),
    "a pickle": (
        lambda f: (f / "a.bin").write_bytes(b"\x80\x04"),
        dict(adapters=[{"lora": "a.bin"}]),
        "adapters[0].lora",
        "a pickle can run code",
    ),
    "an adapter for another model": (
        lambda f: adapter(f / "a.safetensors", inside=320),
        varied(look=[{"lora": "none"}, {"lora": "a.safetensors"}]),
        "vary.look[1]",
        f"its layer {LAYER} is for 320 numbers",
    ),
    "an adapter twice": (
        lambda f: [adapter(f / name) for name in ("a.safetensors", "b.safetensors")],
        dict(adapters=[{"lora": "a.safetensors"}, {"lora": "b.safetensors"}]),
        "adapters[1]",
        "stands twice",
    ),
    "an adapter of all and of an axis": (
        lambda f: adapter(f / "a.safetensors"),
        dict(adapters=[{"lora": "a.safetensors"}], **varied(lora=["none", "a.safetensors"])),
        "vary.lora[1]",
        "in `adapters` already",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_cannot_be_used_is_refused_at_its_place_and_nothing_is_written(
    load, outputs, tmp_path, kind
):
    (tmp_path / "shop").mkdir()
    make, changes, place, words = HOSTILE[kind]
    make(tmp_path / "shop")
    with pytest.raises(DocumentError) as error:
        Intake(outputs).check("p", parse_campaign(load(**changes)), find_model("seedling"))
    assert [problem.place for problem in error.value.problems] == [place]
    assert words in str(error.value)
    assert list(outputs.keys("")) == []


def test_a_model_that_cannot_begin_from_a_picture_is_refused(load, outputs, tmp_path):
    picture(tmp_path / "shop/a.png")
    with pytest.raises(
        DocumentError,
        match=r"reference.image: a StableDiffusionPipeline cannot begin from a reference",
    ):
        Intake(outputs).check("p", parse_campaign(load(reference={"image": "a.png"})), MODEL)


@pytest.mark.parametrize(
    ("image", "words"),
    [("a.png", "the path is not absolute"), ("~/a.png", "whose home `~` is: write the path out")],
)
def test_a_path_that_is_not_whole_is_refused(service, image, words):
    with pytest.raises(DocumentError, match=words):
        service.submit("p", data(reference={"image": image}))


def test_addresses_of_files_and_homes_are_those_of_whoever_submits(
    service, load, jobs, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    image, lora = (
        picture(tmp_path / "home/a b[1].png"),
        adapter(tmp_path / "home/loras/a.safetensors"),
    )
    address = f"file://localhost{quote(str(image))}"
    changes = dict(
        vary={**data()["vary"], "reference": ["none", "~/a b[1].png"]},
        skip=[{"reference": address, "color": "red"}],
    )
    row, _ = service.submit("p", load(**changes, adapters=[{"lora": "~/loras"}]))
    found = jobs(row)
    assert {path for job in found for path in job.addresses.values()} == {str(image)}
    assert {path for job in found for path in job.adapter_paths} == {str(lora.parent)}
    assert expansion_of(
        service.submit("q", load(reference={"image": address}))[0].spec
    ).sources.references == {str(image): digest(image)}


def test_the_api_takes_the_address_of_a_file(service, tmp_path):
    image = picture(tmp_path / "shop/a.png")
    row, _ = service.submit("p", data(reference={"image": image.as_uri()}))
    assert expansion_of(row.spec).sources.references == {image.as_uri(): digest(image)}


def test_an_adapter_is_known_by_its_strengths_if_they_are_not_in_the_file_alone(
    service, load, jobs, tmp_path
):
    """As peft saves it, with alpha in a config beside it: the version before painted it with
    another strength.
    """
    lora = adapter(tmp_path / "shop/style/adapter_model.safetensors")
    seen = []
    for k, alpha in enumerate((2, 1)):
        (lora.parent / "adapter_config.json").write_text(
            json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": alpha})
        )
        row, _ = service.submit("p", load(name=f"n{k}", adapters=[{"lora": "style"}]))
        seen += [job.group.adapters[0].digest for job in jobs(row)[:1]]
    assert seen[0] == digest(lora)
    assert seen[1].startswith(f"{digest(lora)}-")


def test_a_reference_may_come_from_an_allowed_bucket_and_is_kept_in_the_outputs(
    bucket, load, campaigns, control, watching, jobs, brands
):
    name = bucket.removeprefix("s3://")
    file = io.BytesIO()
    Image.new("RGB", (20, 20), "teal").save(file, "WEBP", lossless=True)
    client = boto3.session.Session().client("s3")
    client.put_object(Bucket=name, Key="brand/hero.webp", Body=file.getvalue())
    outputs = open_outputs(f"{bucket}/below")
    service = Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs, brands=brands
    )
    row, _ = service.submit("p", load(reference={"image": f"{bucket}/brand/hero.webp"}))
    job = jobs(row)[0]
    (key,) = job.references.values()
    assert outputs.read(key, 10_000) == file.getvalue()
    assert list(job.addresses.values()) == [f"{bucket}/brand/hero.webp"]
    with pytest.raises(DocumentError, match="it names a bucket, and no file in it"):
        service.submit("p", load(name="other", reference={"image": bucket}))
    with pytest.raises(DocumentError, match="there is no such file in the bucket"):
        service.submit("p", load(name="other", reference={"image": f"{bucket}/brand/gone.webp"}))


def test_a_bucket_is_read_where_it_is_allowed_and_only_there(
    bucket, load, outputs, tmp_path, monkeypatch
):
    name = bucket.removeprefix("s3://")
    picture(tmp_path / "a.png")
    boto3.session.Session().client("s3").put_object(
        Bucket=name, Key="a.png", Body=(tmp_path / "a.png").read_bytes()
    )
    wanted, model = (
        parse_campaign(load(reference={"image": f"{bucket}/a.png"})),
        find_model("seedling"),
    )
    assert Intake(outputs, buckets=[name]).check("p", wanted, model).references == {
        f"{bucket}/a.png": digest(tmp_path / "a.png")
    }
    with pytest.raises(DocumentError, match=f"may not come from the bucket '{name}'"):
        Intake(outputs, buckets=["another"]).check("p", wanted, model)
    with pytest.raises(DocumentError, match="it cannot be read: GetObject failed"):
        Intake(outputs, buckets=[f"{name}-not"]).check(
            "p", parse_campaign(load(reference={"image": f"{bucket}-not/a.png"})), model
        )
    monkeypatch.setattr("farm.service.intake.MAX_BYTES", 10)
    with pytest.raises(DocumentError, match="at most 10 are read"):
        Intake(outputs, buckets=[name]).check("p", wanted, model)


def test_pictures_of_another_project_are_no_references(load, tmp_path, bucket):
    picture(tmp_path / "a.png")
    outputs, model = S3Outputs(f"{bucket}/pictures"), find_model("seedling")
    for key in ("mine/spring/final/shot/7.png", "theirs/spring/final/shot/7.png"):
        outputs.put(key, (tmp_path / "a.png").read_bytes())
    address = f"{outputs.address}/mine/spring/final/shot/7.png"
    wanted = parse_campaign(load(reference={"image": address}))
    assert set(Intake(outputs).check("mine", wanted, model).references) == {address}
    for project in ("theirs", "min", "mine-too"):
        with pytest.raises(DocumentError, match="there is no such file in the bucket"):
            Intake(outputs).check(project, wanted, model)


def test_a_token_names_no_files_of_the_farms_machine_but_those_that_an_operator_allows(
    load, outputs, tmp_path
):
    picture(tmp_path / "shop" / "a.png")
    wanted = parse_campaign(load(reference={"image": "a.png"}))
    model, everything = find_model("seedling"), Intake(outputs, files=LocalFiles())
    allowed = Intake(outputs, files=LocalFiles([tmp_path]))
    assert everything.check("p", wanted, model).references
    shown = author.set(Author(name="mira", token_id="k3b9"))
    try:
        with pytest.raises(DocumentError, match="FARM_ALLOWED_PATHS"):
            everything.check("p", wanted, model)
        assert allowed.check("p", wanted, model).references
    finally:
        author.reset(shown)


def test_outputs_that_are_away_are_no_fault_of_the_campaign(
    load, tmp_path, campaigns, control, watching, brands
):
    class Away(FolderOutputs):
        def put(self, key, data):
            raise OutputsAway("the disk is full")

    picture(tmp_path / "shop/a.png")
    service = Submissions(
        campaigns=campaigns,
        control=control,
        watching=watching,
        outputs=Away(tmp_path / "o"),
        brands=brands,
    )
    with pytest.raises(OutputsAway):
        service.submit("p", load(reference={"image": "a.png"}))
    assert campaigns.all("p") == []


def test_a_file_that_changes_while_it_is_submitted_is_told(outputs, brands, load, tmp_path):
    image = picture(tmp_path / "shop/a.png", 10)
    spec = spec_of(outputs, brands, load(reference={"image": "a.png"}))
    picture(image, 99)
    with pytest.raises(RequestError, match="was changed while the campaign was submitted"):
        Intake(outputs).keep("p", expansion_of(spec).sources)
