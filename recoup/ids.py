"""Row ids: opaque, prefixed by what they name, ordered by the time they were made."""

import os
import time
from typing import NewType

EventId = NewType("EventId", str)
AccountId = NewType("AccountId", str)
InvoiceId = NewType("InvoiceId", str)
AttemptId = NewType("AttemptId", str)
CredentialId = NewType("CredentialId", str)
CaseId = NewType("CaseId", str)
DecisionId = NewType("DecisionId", str)
ActionId = NewType("ActionId", str)
ApprovalId = NewType("ApprovalId", str)
TimerId = NewType("TimerId", str)
ReservationId = NewType("ReservationId", str)
MessageId = NewType("MessageId", str)
TaskId = NewType("TaskId", str)
TextId = NewType("TextId", str)

PREFIXES = {
    "event": "evt",
    "account": "acc",
    "invoice": "inv",
    "attempt": "att",
    "credential": "crd",
    "case": "case",
    "decision": "dec",
    "action": "act",
    "approval": "apr",
    "timer": "tmr",
    "reservation": "rsv",
    "message": "msg",
    "task": "tsk",
    "text": "txt",
    "key": "key",
    "drift": "drf",
}


def new_id(kind: str) -> str:
    """A fresh id such as ``case_0199f3...``: 48 bits of milliseconds, then 80 random bits, in hexadecimal."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{PREFIXES[kind]}_{milliseconds:012x}{os.urandom(10).hex()}"
