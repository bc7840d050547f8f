"""The API's answers about the farm itself, as frozen values."""

from farm.service.views import View


class Ready(View):
    """Whether requests can be answered: if the job database and the outputs can be reached.
    `leader` says whether a dispatcher leads.
    """

    ready: bool
    database: bool
    outputs: bool
    leader: bool
