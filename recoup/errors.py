"""One tree of errors; each holds data and says what the caller may do.

RecoupError
├── Retryable            try again later, nothing was lost
│   ├── BillingUnavailable   the platform did not answer, or answered 5xx / 429
│   ├── MessagingUnavailable the mail server did not take the message, and surely did not
│   ├── DatabaseUnavailable  PostgreSQL is away
│   ├── TicketsUnavailable   the memory of tickets is held by another process, being re-indexed, or away
│   ├── Busy                 another worker holds the lease, or the row moved under us
│   └── NotFetchable         nothing here can fetch this vendor object yet
├── OutcomeUnknown       it may or may not have happened: read, never resend
├── Refused              a rule, a permission or a state says no; trying again changes nothing
│   ├── Malformed            the input is not what it claims to be
│   ├── SignatureRefused     missing, wrong or too old
│   ├── Conflict             decided, superseded, or the digest differs
│   ├── Expired              the approval's time is over
│   ├── Forbidden            this person may not
│   ├── NotFound
│   └── Misconfigured        settings, recoup.toml or policy are wrong
└── Defect               our own mistake; stop and report
"""

from typing import Literal


class RecoupError(Exception):
    """Base of all errors that Recoup raises on purpose. The message says what happened and what to do."""


class Retryable(RecoupError):
    """Nothing was done; the same call may succeed later."""


class BillingUnavailable(Retryable):
    """The billing platform did not answer usefully."""

    def __init__(self, connection: str, detail: str, request_id: str | None = None) -> None:
        super().__init__(f"{connection}: {detail}" + (f" (request {request_id})" if request_id else ""))
        self.connection, self.detail, self.request_id = connection, detail, request_id


class MessagingUnavailable(Retryable):
    """The message was surely not accepted."""


class DatabaseUnavailable(Retryable):
    """PostgreSQL cannot be reached."""


class TicketsUnavailable(Retryable):
    """The memory of tickets cannot be used now; the message says who has it and what to do."""


class Busy(Retryable):
    """Another worker holds the row, or it changed while we worked; start again from what is stored."""


class NotFetchable(Retryable):
    """The event names an object that nothing here can fetch."""


class OutcomeUnknown(RecoupError):
    """An effect was sent and its answer was lost. Read the platform; never send again blindly."""


class Refused(RecoupError):
    """Something says no; repeating the call will not help."""


class Malformed(Refused):
    """The input cannot be understood; the message says what was expected."""


class SignatureRefused(Refused):
    """A webhook's signature does not hold."""

    def __init__(self, why: Literal["missing", "wrong", "too old"], detail: str) -> None:
        super().__init__(f"signature {why}: {detail}")
        self.why: Literal["missing", "wrong", "too old"] = why


class Conflict(Refused):
    """Somebody else was first, or what was shown is no longer what stands."""


class Expired(Refused):
    """The approval's time is over."""


class Forbidden(Refused):
    """The person lacks the role or is not allowed to do this one thing."""


class NotFound(Refused):
    """There is no such row."""


class Misconfigured(Refused):
    """Settings, recoup.toml or a policy are wrong; the message names the key and the mend."""


class Defect(RecoupError):
    """Our own mistake: a state that must not occur."""
