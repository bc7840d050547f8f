"""Every error that a person may meet, and where each stands.

SeedbedError                 the root; its text is a sentence for the person who meets it
├── RequestError             what was asked for is wrong (exit code 2)
│   ├── NotFound             a name that nothing has
│   └── AlreadyThere         a name that something has
├── WorkError                the work failed (exit code 1)
├── DatabaseError            the job database cannot be used
└── OutputsError             the outputs cannot be written or read
"""


class SeedbedError(Exception):
    """Something that a person can mend."""


class RequestError(SeedbedError):
    """What was asked for is wrong; nothing was changed."""


class NotFound(RequestError):
    """Nothing has that name."""


class AlreadyThere(RequestError):
    """Something has that name."""


class WorkError(SeedbedError):
    """The request was right, but the work it asked for failed."""


class DatabaseError(SeedbedError):
    """The job database cannot be opened or used."""


class OutputsError(SeedbedError):
    """The place where pictures go cannot be written or read."""
