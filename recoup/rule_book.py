"""Every rule the gate knows, by its stable id: what it means and who says so. Denials, counts and overrides use the ids.

docs/rules.md is drawn from it: ``python -m recoup.rule_book > docs/rules.md``. A test fails while the page is stale.
"""

import sys
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from recoup.case import Hold
from recoup.proposal import RuleHit
from recoup.record import Record
from recoup.rule_data import load_rules


class Strength(StrEnum):
    """Who can lift a rule. Absolute: nobody. House: a person, with a reason. Escalation: it only asks a person."""

    ABSOLUTE = "absolute"
    HOUSE = "house"
    ESCALATION = "escalation"


class Rule(Record):
    """One rule as people read it."""

    id: str
    strength: Strength
    meaning: str
    source: str


SAFETY = "Recoup: what it promises"
OUTREACH_STOPS = "Recoup: collection pauses while a person or a bank is deciding"
DOUBLE_CHARGE = "Recoup: one live collection path an invoice"

ABSOLUTE = (
    ("kill-switch", "an administrator has stopped everything that leaves Recoup", SAFETY),
    ("live-simulated-mixed", "the connection claims to be live and simulated at once", "Recoup: simulated money never meets real money"),
    ("case-closed", "the case has ended: only a receipt, a refund of what was paid twice and reinstating the service remain", SAFETY),
    ("invoice-not-owed", "nothing of the invoice is owed any more", SAFETY),
    ("receipt-too-early", "a receipt goes out only once the case has ended by payment and nothing remains", SAFETY),
    ("hold-dispute", "the customer disputes the payment", OUTREACH_STOPS),
    ("hold-reversal", "the payment was taken back by the customer or the bank", "Nacha R07, R10, R29, R51; SEPA MD06"),
    ("hold-deceased", "the customer has died", "SEPA MD07; no outreach to the bereaved"),
    ("hold-reply", "the customer has written and waits for an answer", OUTREACH_STOPS),
    ("hold-incident", "a systemic failure is being looked at", OUTREACH_STOPS),
    ("hold-person", "a person has put the case on hold", OUTREACH_STOPS),
    ("suppressed", "the customer opted out of the channel, or it bounced or complained", "FCC, revocation of consent, in force 2025-04-11"),
    ("no-address", "there is no address for the channel", SAFETY),
    ("message-already-sent", "this step of the case was already sent on the channel", "Recoup: a step is written once"),
    ("capability-missing", "the connection's platform cannot be asked to do it", SAFETY),
    ("not-of-this-case", "the action names a row that is not the case's own, or more than is owed", SAFETY),
    ("amount-not-remaining", "a charge collects exactly what remains of the invoice", DOUBLE_CHARGE),
    ("credential-unusable", "the payment method was removed or is no longer valid", SAFETY),
    ("attempt-in-flight", "another attempt is under way, or nobody knows its outcome", DOUBLE_CHARGE),
    ("confirmation-open", "the customer may just be confirming a payment of this invoice", DOUBLE_CHARGE),
    ("platform-retry-planned", "the platform has planned an attempt of its own, and nothing is charged beside it", DOUBLE_CHARGE),
    ("tried-meanwhile", "somebody else has tried to collect since the charge was decided on: it is decided anew", DOUBLE_CHARGE),
    (
        "platform-attempts-kept",
        "what a cap has left is kept for the platform's own retries, which cannot be stopped",
        "recoup.toml: reserved_platform_attempts",
    ),
)

HOUSE = (
    (
        "contact-hours",
        "outside the hours in which the customer may be written to, by the customer's clock: it goes out later",
        "policy: house.contact_hours",
    ),
    ("messages-per-day", "enough messages to the customer in 24 hours, over all invoices", "policy: house.messages_per_day"),
    ("messages-per-week", "enough messages to the customer in 7 days, over all invoices", "policy: house.messages_per_week"),
    ("hours-between-attempts", "too soon after the last attempt on the payment method", "policy: house.hours_between_attempts"),
    ("attempts-per-case", "Recoup has made as many attempts in the case as it may", "policy: house.attempts_per_case"),
    (
        "attempts-per-credential",
        "enough attempts on the payment method in 30 days, whoever made them and whatever the amount",
        "policy: house.attempts_per_credential_30_days",
    ),
    ("agency-unknown", "the agency is not one that the policy names", "policy: agencies"),
)

ESCALATIONS = (
    ("sign-of-fraud", "the decline or an agent speaks of fraud", "policy: a person looks before any message"),
    ("sign-of-trouble", "an agent saw signs of a dispute, a lawyer or a vulnerable customer", "policy: a person looks first"),
    ("amount-over", "more remains than the policy lets pass unseen", "policy: escalations.amount_over_major"),
    ("confidence-under", "the agent is less sure than the policy demands", "policy: escalations.confidence_under"),
    ("low-scores", "the agents were unsure several times in a row", "policy: escalations.low_scores_in_a_row"),
)


@lru_cache(maxsize=1)
def rule_book() -> dict[str, Rule]:
    """All rules by id: absolute ones first, the networks' among them."""
    listed = [Rule(id=i, strength=Strength.ABSOLUTE, meaning=meaning, source=source) for i, meaning, source in ABSOLUTE]
    rules = load_rules()
    networks = [
        Rule(id=entry.id, strength=Strength.ABSOLUTE, meaning=entry.meaning, source=rules.title(entry.source))
        for entry in (*rules.treatment, *rules.permission, *rules.cap, *rules.issuer_country)
    ]
    house = [Rule(id=i, strength=Strength.HOUSE, meaning=meaning, source=source) for i, meaning, source in HOUSE]
    asking = [Rule(id=i, strength=Strength.ESCALATION, meaning=meaning, source=source) for i, meaning, source in ESCALATIONS]
    return {rule.id: rule for rule in (*listed, *networks, *house, *asking)}


def speaks(rule_id: str, detail: str, not_before: datetime | None = None) -> RuleHit:
    """The rule's word on one action, with its source from the book."""
    rule = rule_book()[rule_id]
    return RuleHit(rule=rule_id, detail=detail, source=rule.source, overridable=rule.strength is Strength.HOUSE, not_before=not_before)


def hold_rule(hold: Hold) -> str:
    """The id of the rule of a hold."""
    return f"hold-{hold}"


PAGE = """# The rules of the gate

Generated from `recoup/rule_book.py`, `recoup/rules/treatments.toml`, `recoup/rules/permissions.toml` and `recoup/rules/caps.toml` by
`python -m recoup.rule_book > docs/rules.md`; a test fails while this page is stale. What the gate does with them is in
`recoup/gate.py`, what single decline codes mean in [declines.md](declines.md).

## Absolute rules

No person, mode or policy lifts them. Denials by them name the rule and its source.

{absolute}

## House rules

From the [policy](policy.md). A person may lift one for a case, with a reason that the audit keeps. Most say when time cures them.
`contact-hours` denies nothing: what it speaks on is asked or run as ever, and goes out at the first hour that is allowed.

{house}

## Escalations

They deny nothing: in every mode they ask a person.

{escalation}
"""


def page() -> str:
    """docs/rules.md as it should stand."""
    return PAGE.format(**{strength.value: _table(strength) for strength in Strength})


def _table(strength: Strength) -> str:
    rows = [f"| `{rule.id}` | {rule.meaning} | {rule.source} |" for rule in rule_book().values() if rule.strength is strength]
    return "\n".join(("| Rule | Denies or asks because | Source |", "|---|---|---|", *rows))


if __name__ == "__main__":
    sys.stdout.write(page())
