"""The gate: may this action run, must a person be asked, or is it denied? Pure; the graph, recheck, the executor and backtests ask it.

1. Absolute rules deny, whatever anybody says. House rules deny until time cures them or a person lifts them. Only the hours of
   contact postpone: what may be done, or asked, goes out when they open.
2. The mode of the case's cohort says what runs. Shadow runs nothing. Account actions ask in every other mode.
3. Escalations ask in every mode.
"""

import hashlib
from decimal import Decimal
from itertools import groupby

from recoup.absolute_rules import hard_rules
from recoup.actions import Action, RiskClass
from recoup.facts import CaseFacts
from recoup.house_rules import house_rules, own_attempts, postponement
from recoup.meaning import treatment_of
from recoup.money import exponent
from recoup.policy import Cohort, Escalations, LowRisk, Match, Mode, Policy
from recoup.proposal import Answer, Proposed, RuleHit, Verdict
from recoup.rule_book import speaks


def judge(proposed: Proposed, signals: tuple[str, ...], facts: CaseFacts, policy: Policy) -> Verdict:
    """The answer for one proposed action, with every rule that spoke. ``signals`` are the agents' words of a closed list."""
    action = proposed.action
    denials = (*hard_rules(action, facts), *house_rules(action, facts, policy))
    if denials:
        return _verdict(proposed, Answer.DENY, denials[0].detail, denials)
    verdict = _by_mode(proposed, signals, facts, policy)
    late = postponement(action, facts, policy)
    if late is None or verdict.answer is Answer.SHADOW:
        return verdict
    told = {"reason": f"{verdict.reason}; {late.detail}", "rules": (*verdict.rules, late), "postponed_until": late.not_before}
    return verdict.model_copy(update=told)


def _by_mode(proposed: Proposed, signals: tuple[str, ...], facts: CaseFacts, policy: Policy) -> Verdict:
    action = proposed.action
    mode = mode_for(facts, policy)
    if mode is Mode.SHADOW:
        return _verdict(proposed, Answer.SHADOW, "shadow mode: nothing is executed")
    if action.risk is RiskClass.INTERNAL:
        return _verdict(proposed, Answer.RUN, "it stays inside Recoup")
    if action.is_receipt:
        return _verdict(proposed, Answer.RUN, "a receipt tells only that all is paid")
    if action.risk is RiskClass.ACCOUNT:
        return _verdict(proposed, Answer.ASK, "it alters the account: a person is asked in every mode")
    worries = escalations(proposed, signals, facts, policy)
    if worries:
        return _verdict(proposed, Answer.ASK, worries[0].detail, worries)
    if mode is Mode.AUTO:
        return _verdict(proposed, Answer.RUN, f"auto mode runs every {action.risk} that no rule denies")
    if mode is Mode.HYBRID and is_low_risk(action, facts, policy.low_risk):
        return _verdict(proposed, Answer.RUN, "hybrid mode: low risk by policy")
    return _verdict(proposed, Answer.ASK, f"{mode} mode asks before this {action.risk}")


def escalations(proposed: Proposed, signals: tuple[str, ...], facts: CaseFacts, policy: Policy) -> tuple[RuleHit, ...]:
    """Why a person is asked in every mode; none: nobody need be."""
    limits, invoice = policy.escalations, facts.invoice
    hits: list[RuleHit] = []
    if "fraud" in signals or speaks_of_fraud(facts):
        hits.append(speaks("sign-of-fraud", "signs of fraud: a person looks before anything is sent"))
    others = [signal for signal in signals if signal != "fraud"]
    if others:
        hits.append(speaks("sign-of-trouble", f"signs of {', '.join(others)}"))
    if is_large(facts, limits):
        hits.append(speaks("amount-over", f"more than {_most(facts, limits)} {invoice.currency} remains"))
    if proposed.confidence < limits.confidence_under:
        hits.append(speaks("confidence-under", f"confidence {proposed.confidence:.2f} is under {limits.confidence_under:.2f}"))
    if _unsure_in_a_row(facts, limits.confidence_under) >= limits.low_scores_in_a_row:
        hits.append(speaks("low-scores", f"unsure {limits.low_scores_in_a_row} times in a row or more"))
    return tuple(hits)


def is_large(facts: CaseFacts, limits: Escalations) -> bool:
    """Whether more remains than the policy lets pass unseen."""
    return remaining_major(facts) > _most(facts, limits)


def mode_for(facts: CaseFacts, policy: Policy) -> Mode:
    """The mode of the first cohort that takes the case, else the policy's. A held-out account is only watched."""
    if facts.account.holdout:
        return Mode.SHADOW
    return next((cohort.mode for cohort in policy.cohorts if takes(cohort, facts)), policy.mode)


def takes(cohort: Cohort, facts: CaseFacts) -> bool:
    """Whether every condition that the cohort gives holds for the case."""
    match, account = cohort.match, facts.account
    return (
        _among(match.categories, facts.category)
        and _among(match.currencies, facts.invoice.currency)
        and _among(match.segments, account.segment)
        and _among(match.plan_tiers, account.plan_tier)
        and _among(match.countries, account.country)
        and _within(match, remaining_major(facts))
        and (match.share is None or account_share(account.id) < match.share)
    )


def is_low_risk(action: Action, facts: CaseFacts, low: LowRisk) -> bool:
    """What hybrid mode runs by itself: templated messages, and charges after declines whose codes we know. Words that stand in no template
    have been read by nobody yet."""
    if action.risk is RiskClass.CONTACT:
        return low.templated_messages and action.args.get("words") is None
    failure = facts.last_failure
    return (
        action.risk is RiskClass.CHARGE
        and failure is not None
        and failure.code_known
        and facts.category in low.categories
        and remaining_major(facts) < low.amount_under_major
        and own_attempts(facts) < low.attempts_up_to
    )


def speaks_of_fraud(facts: CaseFacts) -> bool:
    """Whether an issuer, network or processor ever answered this invoice with a word of fraud."""
    return any(told.is_fraud for attempt in facts.attempts if (told := treatment_of(attempt, facts)))


def remaining_major(facts: CaseFacts) -> Decimal:
    """What remains, in whole currency units, which is how policies speak."""
    return Decimal(facts.invoice.remaining_minor).scaleb(-exponent(facts.invoice.currency))


def account_share(account_id: str) -> float:
    """Where the account falls in [0, 1), for good: a cohort that grows from 10 to 25 % keeps the accounts it had."""
    return share_of(account_id)


def share_of(words: str) -> float:
    """A number in [0, 1) that depends on the words alone."""
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") / 2**64


def _among(wanted: tuple[str, ...] | None, value: str | None) -> bool:
    return wanted is None or value in wanted


def _within(match: Match, major: Decimal) -> bool:
    enough = match.amount_at_least_major is None or major >= match.amount_at_least_major
    return enough and (match.amount_under_major is None or major < match.amount_under_major)


def _unsure_in_a_row(facts: CaseFacts, under: float) -> int:
    """How many of the newest decisions in a row proposed something outward with too little confidence."""
    outward = [a for a in facts.actions if a.risk is not RiskClass.INTERNAL]
    decisions = [min(a.confidence for a in group) for _, group in groupby(outward, key=lambda a: a.at)]
    in_a_row = 0
    for confidence in reversed(decisions):
        if confidence >= under:
            break
        in_a_row += 1
    return in_a_row


def _verdict(proposed: Proposed, answer: Answer, reason: str, rules: tuple[RuleHit, ...] = ()) -> Verdict:
    return Verdict(action_id=proposed.id, answer=answer, reason=reason, rules=rules)


def _most(facts: CaseFacts, limits: Escalations) -> Decimal:
    return limits.amount_over_major_by_currency.get(facts.invoice.currency, limits.amount_over_major)
