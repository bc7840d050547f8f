"""The root of every error that is written for people, and the errors of requests, of the job
database and of the outputs. Other parts derive theirs from these.

SeedbedError                 the root; its text is a sentence for the person who sees it
├── RequestError             what was asked for is wrong (exit code 2)
│   ├── NotFound             a name that nothing has
│   └── AlreadyThere         a name that something has
├── WorkError                the work failed (exit code 1)
├── DatabaseError            the job database cannot be used (exit code 2)
│   ├── DatabaseAway         it does not answer; the same may work later
│   └── SessionLost          another dispatcher leads now
└── OutputsError             the outputs cannot be written or read (exit code 1)
    ├── BadKey               a key that no file of them can have
    ├── OutputsAway          they are full or do not answer; the same may work later
    └── OutputsForbidden     the keys, or the user, have no permission for this
"""


class SeedbedError(Exception):
    """Something went wrong, and the text says what a person can do."""


class RequestError(SeedbedError):
    """The request is wrong; nothing was changed."""


class NotFound(RequestError):
    """Nothing has that name."""


class AlreadyThere(RequestError):
    """Something has that name."""


class WorkError(SeedbedError):
    """The request was right, but the work it asked for failed."""


class DatabaseError(SeedbedError):
    """The job database cannot be opened or used."""


class DatabaseAway(DatabaseError):
    """The job database does not answer; the same may work later."""


class SessionLost(DatabaseError):
    """Another dispatcher leads now, and has the leases; nothing that this one writes counts any
    more.
    """


class OutputsError(SeedbedError):
    """The place where pictures go cannot be written or read."""


class BadKey(OutputsError):
    """No file of the outputs can have that key."""


class OutputsAway(OutputsError):
    """The place where pictures go is full or does not answer; the same may work later."""


class OutputsForbidden(OutputsError):
    """The place where pictures go does not allow this to whoever the farm runs as."""
