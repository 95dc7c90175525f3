"""What every rule of the gate must do. Subclass it, give it a ``bench``, and run it: see test_rules.py."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from recoup.actions import Action
from recoup.facts import CaseFacts
from recoup.gate import judge
from recoup.policy import Mode, Policy
from recoup.proposal import Answer, Proposed, RuleHit, Verdict
from recoup.rule_book import Strength, rule_book
from recoup.rule_data import load_rules

RULES_PAGE = Path(__file__).parents[2] / "docs/rules.md"
AUTO = Policy(mode=Mode.AUTO)
A_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class RuleBench:
    """What a rule's author supplies: the same ``action`` on facts where the rule is ``silent``, where it ``speaks``, and where there is
    even ``more`` of what it speaks about (one more attempt, one more message); as ``speaks`` where there is no more of it."""

    rule: str
    action: Action
    silent: CaseFacts
    speaks: CaseFacts
    more: CaseFacts
    policy: Policy = AUTO
    signals: tuple[str, ...] = field(default=())

    def verdict(self, facts: CaseFacts) -> Verdict:
        """The gate's answer, in auto mode unless the policy says otherwise: whatever is not run is a rule's doing."""
        proposed = Proposed(id="act_of_the_bench", action=self.action, reason="for the test", evidence=(facts.invoice.id,), confidence=0.9)
        return judge(proposed, self.signals, facts, self.policy)

    def hit(self, facts: CaseFacts) -> RuleHit | None:
        """What the rule says; None where it is silent."""
        return next((hit for hit in self.verdict(facts).rules if hit.rule == self.rule), None)

    def spoken(self, facts: CaseFacts) -> RuleHit:
        hit = self.hit(facts)
        assert hit is not None, f"{self.rule} is silent: {self.verdict(facts)}"
        return hit


class RuleContract:
    """The suite. A subclass supplies the fixture ``bench``."""

    def test_the_book_and_the_page_know_it_and_its_source(self, bench: RuleBench) -> None:
        rule = rule_book()[bench.rule]
        assert rule.meaning
        assert rule.source
        assert f"| `{rule.id}` | {rule.meaning} | {rule.source} |" in RULES_PAGE.read_text(encoding="utf-8")

    def test_a_networks_rule_has_the_days_on_which_it_holds(self, bench: RuleBench) -> None:
        for rule in (rule for rule in load_rules().entries if rule.id == bench.rule):
            assert rule.effective_from <= bench.speaks.now.date()
            assert (rule.effective_to or date.max) > rule.effective_from

    def test_it_speaks_where_it_should_and_is_silent_elsewhere(self, bench: RuleBench) -> None:
        assert bench.hit(bench.silent) is None
        hit = bench.spoken(bench.speaks)
        assert hit.detail
        assert hit.source == rule_book()[bench.rule].source

    def test_the_gate_heeds_it(self, bench: RuleBench) -> None:
        verdict, hit = bench.verdict(bench.speaks), bench.spoken(bench.speaks)
        if verdict.postponed_until:
            assert verdict.postponed_until == hit.not_before
        elif rule_book()[bench.rule].strength is Strength.ESCALATION:
            assert verdict.answer is Answer.ASK
        else:
            assert verdict.answer is Answer.DENY

    def test_a_person_lifts_a_house_rule_and_no_other(self, bench: RuleBench) -> None:
        is_house = rule_book()[bench.rule].strength is Strength.HOUSE
        lifted = bench.speaks.model_copy(update={"overridden_rules": (bench.rule,)})
        assert bench.spoken(bench.speaks).overridable is is_house
        assert (bench.hit(lifted) is None) is is_house

    def test_time_cures_it_when_it_says_and_not_a_moment_sooner(self, bench: RuleBench) -> None:
        not_before = bench.spoken(bench.speaks).not_before
        if not_before is None:
            assert bench.hit(_at(bench.speaks, bench.speaks.now + timedelta(days=365))), "time cures it, and it does not say when"
            return
        assert not_before > bench.speaks.now
        assert not_before.utcoffset() is not None
        assert bench.hit(_at(bench.speaks, not_before - A_MOMENT))
        assert bench.hit(_at(bench.speaks, not_before)) is None

    def test_more_of_what_it_speaks_about_never_silences_it_nor_frees_it_sooner(self, bench: RuleBench) -> None:
        far = datetime.max.replace(tzinfo=UTC)
        before, after = bench.spoken(bench.speaks), bench.spoken(bench.more)
        assert (after.not_before or far) >= (before.not_before or far)

    def test_it_is_pure(self, bench: RuleBench) -> None:
        assert bench.verdict(bench.speaks) == bench.verdict(bench.speaks)


def _at(facts: CaseFacts, now: datetime) -> CaseFacts:
    return facts.model_copy(update={"now": now})
