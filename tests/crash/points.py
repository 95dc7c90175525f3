"""The named places at which something is killed: between which two messages, and who dies there."""

import re
from dataclasses import dataclass
from enum import StrEnum


class When(StrEnum):
    """NOT_PASSED: said, but the other side never hears it. PASSED: the other side hears it and works on. ANSWERED: the other side is
    done, and its answer never arrives."""

    NOT_PASSED = "not passed"
    PASSED = "passed"
    ANSWERED = "answered"


class Victim(StrEnum):
    """CALLER is whoever was speaking; NOBODY dies where only the connection is cut."""

    CALLER = "caller"
    API = "api"
    SANDBOX = "sandbox"
    POSTGRES = "postgres"
    SUPERVISOR = "supervisor"
    MAIL_SERVER = "mail server"
    NOBODY = "nobody"


DATABASE, PLATFORM, MAIL, WEBHOOKS = "database", "platform", "mail", "webhooks"
WORKER, API, BACKFILL = "worker", "api", "backfill"


@dataclass(frozen=True)
class Point:
    """``caller``: the kind of program that speaks. ``says`` is found in its message, ``before`` in what its transaction said already."""

    name: str
    wire: str
    says: str
    when: When
    caller: str = WORKER
    victim: Victim = Victim.CALLER
    before: str = ""

    def is_reached(self, text: str, before: str) -> bool:
        """Whether this is the message."""
        return bool(re.search(self.says, text) and re.search(self.before, before))


def _commit_of(what: str, name: str, when: When, caller: str = WORKER) -> Point:
    return Point(name, DATABASE, r"^COMMIT", when, caller, before=what)


CLAIM_EVENT, FINISH_EVENT = r"UPDATE inbox SET lease_until", r"UPDATE inbox SET status"
START_DECISION, COMMIT_DECISION, USE_ANSWER = r"INSERT INTO decisions", r"INSERT INTO actions", r"UPDATE approvals SET used_at"
ANSWER, START_ACTION = r"UPDATE approvals SET status = 'decided'", r"SET state = 'started'"
# What a charge came to enters through the inbox, in the transaction that books it; what a message came to does not.
CHARGE_BOOKED = r"(?s)UPDATE actions SET state = \$1.*INSERT INTO inbox"
MAIL_BOOKED = r"(?s)^(?!.*INSERT INTO (inbox|invoices)).*UPDATE actions SET state = \$1.*UPDATE messages"
EFFECT, TEXT, WEBHOOK = r"^POST /v1/effects", r"^TEXT", r"^POST /webhooks/"

POINTS = (
    Point("before-the-event-is-kept", DATABASE, r"INSERT INTO inbox", When.NOT_PASSED, API),
    Point("after-commit-before-answer", DATABASE, r"INSERT INTO inbox", When.ANSWERED, API),
    Point("the-202-is-lost", WEBHOOKS, WEBHOOK, When.ANSWERED, "sandbox", Victim.API),
    Point("the-sender-dies-before-the-202", WEBHOOKS, WEBHOOK, When.ANSWERED, "sandbox"),
    _commit_of(CLAIM_EVENT, "event-claimed", When.ANSWERED),
    _commit_of(FINISH_EVENT, "before-the-event-is-finished", When.NOT_PASSED),
    _commit_of(FINISH_EVENT, "event-finished-unheard", When.ANSWERED),
    _commit_of(START_DECISION, "decision-started", When.ANSWERED),
    Point("during-checkpoint-write", DATABASE, r"INSERT INTO checkpoint_(blobs|writes)", When.PASSED),
    Point("before-checkpoint-write", DATABASE, r"INSERT INTO checkpoints ", When.NOT_PASSED),
    _commit_of(COMMIT_DECISION, "before-the-decision-is-committed", When.NOT_PASSED),
    _commit_of(COMMIT_DECISION, "decision-committed-unheard", When.ANSWERED),
    Point("during-audit-append", DATABASE, r"audit_append", When.PASSED),
    _commit_of(ANSWER, "answer-committed-unheard", When.ANSWERED, API),
    _commit_of(USE_ANSWER, "before-the-answer-is-used", When.NOT_PASSED),
    _commit_of(USE_ANSWER, "answer-used-unheard", When.ANSWERED),
    _commit_of(START_ACTION, "before-the-start-is-committed", When.NOT_PASSED),
    _commit_of(START_ACTION, "between-start-and-send", When.ANSWERED),
    Point("charge-request-not-sent", PLATFORM, EFFECT, When.NOT_PASSED),
    Point("charge-request-sent", PLATFORM, EFFECT, When.PASSED),
    Point("charge-response-not-read", PLATFORM, EFFECT, When.ANSWERED),
    Point("charge-answer-lost", PLATFORM, EFFECT, When.ANSWERED, victim=Victim.NOBODY),
    Point("platform-dies-at-a-charge", PLATFORM, EFFECT, When.PASSED, victim=Victim.SANDBOX),
    Point("platform-dies-at-a-reading", PLATFORM, r"^GET /v1/invoices/", When.PASSED, victim=Victim.SANDBOX),
    _commit_of(CHARGE_BOOKED, "after-send-before-outcome", When.NOT_PASSED),
    _commit_of(CHARGE_BOOKED, "outcome-committed-unheard", When.ANSWERED),
    Point("mail-text-not-sent", MAIL, TEXT, When.NOT_PASSED),
    Point("mail-text-sent", MAIL, TEXT, When.PASSED),
    Point("mail-data-accepted-no-reply", MAIL, TEXT, When.ANSWERED),
    _commit_of(MAIL_BOOKED, "mail-sent-before-outcome", When.NOT_PASSED),
    Point("mail-reply-lost", MAIL, TEXT, When.ANSWERED, victim=Victim.NOBODY),
    Point("mail-server-dies-at-a-text", MAIL, TEXT, When.PASSED, victim=Victim.MAIL_SERVER),
    Point("database-dies-at-a-commit", DATABASE, r"^COMMIT", When.PASSED, victim=Victim.POSTGRES),
    Point("database-dies-keeping-an-event", DATABASE, r"INSERT INTO inbox", When.PASSED, API, Victim.POSTGRES),
    Point("supervisor-dies-at-a-commit", DATABASE, r"^COMMIT", When.PASSED, victim=Victim.SUPERVISOR),
)

KEEP_PAGE, TELL, REST = r"UPDATE reconciliations SET cursor", r"INSERT INTO drift", r"UPDATE reconciliations SET due_at"
KEEP_PAST, BOOK_PAST = r"INSERT INTO invoices", r"UPDATE backfills SET cursor"
# Those who ask a vendor what webhooks have lost, and what had been before: only there are they reached.
CATCHING_UP = (
    Point("changes-asked-for-unheard", PLATFORM, r"^GET /v1/events", When.ANSWERED),
    _commit_of(KEEP_PAGE, "before-the-page-is-kept", When.NOT_PASSED),
    _commit_of(KEEP_PAGE, "page-kept-unheard", When.ANSWERED),
    Point("changed-object-read-unheard", PLATFORM, r"^GET /v1/invoices/", When.ANSWERED),
    _commit_of(TELL, "before-the-news-enter", When.NOT_PASSED),
    _commit_of(TELL, "news-entered-unheard", When.ANSWERED),
    _commit_of(REST, "before-it-rests", When.NOT_PASSED),
)
READING_THE_PAST = (
    Point("past-asked-for-unheard", PLATFORM, r"^GET /v1/invoices\?", When.ANSWERED, BACKFILL),
    _commit_of(KEEP_PAST, "before-the-past-is-kept", When.NOT_PASSED, BACKFILL),
    _commit_of(KEEP_PAST, "past-kept-unheard", When.ANSWERED, BACKFILL),
    _commit_of(BOOK_PAST, "before-the-past-is-booked", When.NOT_PASSED, BACKFILL),
    _commit_of(BOOK_PAST, "past-booked-unheard", When.ANSWERED, BACKFILL),
)

BY_NAME = {point.name: point for point in POINTS}
