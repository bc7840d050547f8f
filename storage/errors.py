"""The root of every error that is written for people, and the errors of requests, of the job
database and of the outputs. Other parts derive theirs from these. Which exit code a command ends
with is said in farm.commands.exits.

SeedbedError                 the root; its text is a sentence for the person who sees it
├── RequestError             what was asked for is wrong
│   ├── NotFound             a name that nothing has
│   ├── Conflict             it does not fit to what is there, or to the state that it is in
│   │   └── AlreadyThere     a name that something has
│   ├── NotAllowed           whoever asks may not have this
│   │   └── Unauthenticated  the farm does not know who asks
│   └── TooManyRequests      the same may be asked again after some seconds
├── WorkError                the work failed
│   └── Unreachable          no farm answers
├── DatabaseError            the job database cannot be used
│   ├── DatabaseAway         it does not answer; the same may work later
│   └── SessionLost          another dispatcher leads now
└── OutputsError             the outputs cannot be written or read
    ├── BadKey               a key that no file of them can have
    ├── OutputsAway          they are full or do not answer; the same may work later
    └── OutputsForbidden     the keys, or the user, have no permission for this
"""


class SeedbedError(Exception):
    """Something went wrong, and the text says what a person can do."""

    code = "fault"
    """A short word for programs. It stays as it is when the sentence changes."""
    retry_after_s: int | None = None
    """Seconds after which the same request may be granted."""

    def __init__(self, *said: object, code: str | None = None) -> None:
        """`code` is given if it tells more than the word of the class."""
        super().__init__(*said)
        if code is not None:
            self.code = code

    @property
    def place(self) -> str | None:
        """Where the fault is in what was sent, like `settings.steps`; None if all of it is."""
        return None


class RequestError(SeedbedError):
    """The request is wrong; nothing was changed."""

    code = "bad-request"


class NotFound(RequestError):
    """Nothing has that name."""

    code = "not-found"


class Conflict(RequestError):
    """The request does not fit to what is there, or to the state that it is in."""

    code = "conflict"


class AlreadyThere(Conflict):
    """Something has that name."""

    code = "already-there"


class NotAllowed(RequestError):
    """Whoever asks may not have this, or do this."""

    code = "not-allowed"


class Unauthenticated(NotAllowed):
    """The farm does not know who asks: no token was shown, or one that is not valid."""

    code = "unauthenticated"


class TooManyRequests(RequestError):
    """Whoever asks has asked too often; the same may be asked again after some seconds."""

    code = "too-many-requests"
    retry_after_s = 1


class WorkError(SeedbedError):
    """The request was right, but the work it asked for failed."""

    code = "work-failed"


class Unreachable(WorkError):
    """No farm answers."""

    code = "unreachable"


class DatabaseError(SeedbedError):
    """The job database cannot be opened or used."""

    code = "database"


class DatabaseAway(DatabaseError):
    """The job database does not answer; the same may work later."""

    code = "database-unavailable"


class SessionLost(DatabaseError):
    """Another dispatcher leads now, and has the leases; nothing that this one writes counts any
    more.
    """


class OutputsError(SeedbedError):
    """The place where pictures go cannot be written or read."""

    code = "outputs"


class BadKey(OutputsError):
    """No file of the outputs can have that key."""

    code = "bad-key"


class OutputsAway(OutputsError):
    """The place where pictures go is full or does not answer; the same may work later."""

    code = "outputs-unavailable"


class OutputsForbidden(OutputsError):
    """The place where pictures go does not allow this to whoever the farm runs as."""

    code = "outputs-forbidden"
