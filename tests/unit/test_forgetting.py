"""Old events go every hour, whatever happens to the database meanwhile."""

from farm.dispatch.forgetting import DAY_S, LOOK_S, forget_events
from storage.errors import DatabaseAway


class Stops:
    """Set after some looks."""

    def __init__(self, looks):
        self.left, self.waited = looks, []

    def wait(self, seconds):
        self.waited.append(seconds)
        self.left -= 1
        return self.left == 0


class Log:
    def __init__(self, answers):
        self.answers, self.ages = iter(answers), []

    def prune(self, older_than_s):
        self.ages.append(older_than_s)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_old_events_go_every_hour_even_if_the_database_was_away():
    log, stop = Log([3, DatabaseAway("away"), 0]), Stops(3)
    forget_events(log, 2.0, stop)
    assert log.ages == [2 * DAY_S] * 3
    assert stop.waited == [LOOK_S] * 3
