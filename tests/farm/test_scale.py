"""A million renders, in a process of its own so that its memory can be told."""

import json
import subprocess
import sys

CODE = """
import json, resource, sys
from farm.app import open_app
from farm.config import read_settings
from farm.service.submission import Submissions
from farm.campaign.specs import expansion_of
from storage.campaigns import Campaigns
from storage.brands import Brands
from storage.control import Control
from storage.database import open_database, upgrade
from storage.watching import Watching

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

settings = read_settings(home=sys.argv[1])
with open_app(settings):
    pass
engine = open_database(settings.database_address)
outputs = settings.open_outputs()
service = Submissions(
    campaigns=Campaigns(engine),
    control=Control(engine),
    watching=Watching(engine),
    outputs=outputs,
    brands=Brands(engine),
)
idle = peak()
vary = {"product": {"range": [1, 100, 1]}, "color": {"range": [1, 100, 1]}}
data = {"name": "big", "model": "seedling", "prompt": "{product} {color}"}
data |= {"vary": vary, "seeds": {"count": 100}}
campaign, _ = service.submit("p", data)
submitted = peak()
count = sum(1 for _ in expansion_of(campaign.spec).all_renders())
told = {"total": campaign.total, "expanded": count}
told |= {"submit_mb": submitted - idle, "expand_mb": peak() - idle}
print(json.dumps(told))
"""


def test_a_million_renders_never_stand_in_memory(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "home")],
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    figures = json.loads(done.stdout)
    assert figures["total"] == figures["expanded"] == 1_000_000
    assert figures["expand_mb"] < 300, figures
