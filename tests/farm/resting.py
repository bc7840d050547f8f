"""A campaign painted in this process, by a worker that rests: everything is real but the
dispatcher, Ray and the pixels.
"""

from actors.painting.painter import Painter
from actors.painting.resting import RestingEngine
from farm.campaign.specs import expansion_of
from farm.dispatch.chunk_job import chunk_job
from farm.results.reproduce import campaign_of, read_picture
from farm.scheduling.retry import settlement_of
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.queue import Queue
from storage.settling import Settling


def paint(settings, name, engine=None):
    """Paint what is queued of a campaign into the outputs that the settings name; returns the
    numbers of the renders painted.
    """
    painter = Painter("w", engine or RestingEngine(0.0), settings.open_outputs())
    with closing_engine(settings.database_address) as database:
        campaign = Campaigns(database).get("default", name)
        return paint_queued(Queue(database), Settling(database), campaign, painter)


def paint_queued(queue, settling, campaign, painter, owner="test"):
    """Do what a dispatcher and a worker do with a campaign; returns the numbers of the renders
    painted.
    """
    expansion, numbers = expansion_of(campaign.spec), []
    session = queue.lead(owner=owner, host="h", pid=1)
    while claimed := queue.claim(session, [(campaign.id, "w")]):
        (chunk,) = claimed
        result = painter.paint(chunk_job(campaign, expansion, chunk))
        assert result.failure is None
        settling.settle(session, [settlement_of(result, chunk, None, backoffs=0)])
        painter.acknowledge(*result.key)
        numbers += [outcome.number for outcome in result.outcomes]
    queue.end_session(session)
    return sorted(numbers)


def assert_recipes_come_back(service, outputs, lines):
    """What the files of painted lines say is a campaign each, whose recipe is the same."""
    for line in lines:
        with outputs.open(line["key"]) as file:
            asked = campaign_of(read_picture(file.read()), name="again")
        again, _ = service.submit(f"again-{line['number']}", asked)
        expansion = expansion_of(again.spec)
        assert expansion.recipe(*expansion.render(0)).digest == line["digest"]
