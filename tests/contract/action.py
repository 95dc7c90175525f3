"""What every action of the closed set must do. Subclass it, give it a ``bench``, and run it: see test_actions.py."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.jobs import execute
from memory.database import Database
from memory.outbox import ActionState
from recoup.actions import SPECIFICATION, Action, ActionName, RiskClass, check_action, make_action
from recoup.case import CaseStatus
from recoup.errors import Malformed
from recoup.events import Reading
from recoup.facts import CaseFacts
from recoup.gate import judge
from recoup.policy import Mode, Policy
from recoup.proposal import Answer, Proposed, Verdict
from recoup.record import Record
from tests.factories import connection_facts, make_facts
from tests.fakes import FakeBilling, FakeMessenger, make_services
from tests.scenes import absorb_reading, action_of, commit

ANSWERS = {
    RiskClass.INTERNAL: {Mode.SHADOW: Answer.SHADOW, Mode.APPROVE: Answer.RUN, Mode.HYBRID: Answer.RUN, Mode.AUTO: Answer.RUN},
    RiskClass.CONTACT: {Mode.SHADOW: Answer.SHADOW, Mode.APPROVE: Answer.ASK, Mode.AUTO: Answer.RUN},
    RiskClass.CHARGE: {Mode.SHADOW: Answer.SHADOW, Mode.APPROVE: Answer.ASK, Mode.AUTO: Answer.RUN},
    RiskClass.ACCOUNT: {Mode.SHADOW: Answer.SHADOW, Mode.APPROVE: Answer.ASK, Mode.HYBRID: Answer.ASK, Mode.AUTO: Answer.ASK},
}
JUNK: tuple[Any, ...] = (None, "", "\n", "x" * 10_000, -1, 0, 10**30, 1.5, True, [], {}, ["x"] * 1000)


@dataclass(frozen=True)
class ActionBench:
    """What an action's author supplies: its name, arguments for a case that it may be done on, facts of such a case, and the readings
    that bring a real case there. ``policy`` where the default one would deny it."""

    name: ActionName
    args: Callable[[CaseFacts], Record]
    facts: CaseFacts = field(default_factory=make_facts)
    readings: tuple[Reading | None, ...] = (None,)
    policy: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def risk(self) -> RiskClass:
        return SPECIFICATION[self.name][0]

    def action(self, facts: CaseFacts | None = None) -> Action:
        return make_action(self.name, self.args(facts or self.facts))

    def verdict(self, mode: Mode, facts: CaseFacts | None = None, action: Action | None = None) -> Verdict:
        proposed = Proposed(id="act_1", action=action or self.action(), reason="for the test", evidence=("inv_1",), confidence=0.9)
        return judge(proposed, (), facts or self.facts, Policy.model_validate(self.policy | {"mode": mode}))


class ActionContract:
    """The suite. A subclass supplies the fixture ``bench``; ``db`` is a real database."""

    def test_it_is_of_the_closed_set_and_says_what_its_arguments_mean(self, bench: ActionBench) -> None:
        _, model = SPECIFICATION[bench.name]
        assert bench.name in ActionName
        assert model.__doc__
        assert check_action(bench.name, bench.action().args) == bench.action()

    def test_its_arguments_are_references_bounded_numbers_dates_or_words(self, bench: ActionBench) -> None:
        schema = SPECIFICATION[bench.name][1].model_json_schema()
        for name, resolved in _fields(schema, schema.get("$defs", {})):
            bounds = {"maxLength", "pattern", "enum", "const", "format", "maximum", "exclusiveMinimum", "minimum"}
            assert bounds & resolved.keys(), f"{name} may be anything: {resolved}"
            assert resolved.get("type") != "number", f"{name}: money is in minor units, never a float"

    def test_other_arguments_are_malformed(self, bench: ActionBench) -> None:
        good = bench.action().args
        with pytest.raises(Malformed):
            check_action(bench.name, good | {"invoice": "in_of_someone"})
        for name in good:
            for junk in JUNK:
                try:
                    checked = check_action(bench.name, good | {name: junk})
                except Malformed:
                    continue
                # What is taken is within the bounds, and stays the same when it is read back.
                assert check_action(bench.name, checked.args) == checked

    @pytest.mark.parametrize("mode", list(Mode))
    def test_each_mode_answers_by_its_risk_and_account_actions_are_always_asked(self, bench: ActionBench, mode: Mode) -> None:
        expected = ANSWERS[bench.risk].get(mode)
        if expected is not None:
            assert bench.verdict(mode).answer is expected, bench.verdict(mode)

    def test_nothing_leaves_under_the_kill_switch(self, bench: ActionBench) -> None:
        stopped = bench.verdict(Mode.AUTO, bench.facts.model_copy(update={"kill_switch": True}))
        assert (stopped.answer is Answer.DENY) is (bench.risk is not RiskClass.INTERNAL)

    def test_a_platform_that_cannot_do_it_is_not_asked_to(self, bench: ActionBench) -> None:
        unable = bench.facts.model_copy(update={"connection": connection_facts(capabilities=("read",))})
        rules = {hit.rule for hit in bench.verdict(Mode.AUTO, unable).rules}
        assert ("capability-missing" in rules) is (bench.risk in {RiskClass.CHARGE, RiskClass.ACCOUNT})

    def test_a_row_of_another_case_is_denied(self, bench: ActionBench) -> None:
        for name in bench.action().args:
            if name.endswith(("_id", "_ids")):
                stranger = ["x_of_someone"] if name.endswith("s") else "x_of_someone"
                action = bench.action().model_copy(update={"args": bench.action().args | {name: stranger}})
                assert "not-of-this-case" in {hit.rule for hit in bench.verdict(Mode.AUTO, action=action).rules}

    def test_a_case_that_has_ended_takes_only_what_tidies_up(self, bench: ActionBench) -> None:
        ended = bench.facts.case.model_copy(update={"status": CaseStatus.CANCELLED})
        denied = bench.verdict(Mode.AUTO, bench.facts.model_copy(update={"case": ended})).answer is Answer.DENY
        tidies_up = bench.name in {ActionName.REFUND_DUPLICATE, ActionName.REINSTATE_SERVICE}
        assert denied is (bench.risk is not RiskClass.INTERNAL and not tidies_up)

    async def test_the_executor_does_it_once_and_says_so(self, bench: ActionBench, db: Database) -> None:
        billing, messenger = FakeBilling(), FakeMessenger()
        services = make_services(db, billing=billing, messenger=messenger)
        case_id = None
        for reading in bench.readings:
            case_id = await absorb_reading(services, reading) or case_id
            billing.reading = reading or billing.reading
        assert case_id is not None
        facts = await services.facts.load(case_id, await services.clock.now())
        action_id = await commit(services, facts, bench.action(facts))
        for _ in range(2):
            await execute.run(services, action_id)
        row = await action_of(db, action_id)
        assert row.state is ActionState.DONE, row.state_reason
        sent = [*billing.calls, *(message.action_id for message in messenger.accepted)]
        assert sent == ([] if bench.risk is RiskClass.INTERNAL else [action_id])


def _fields(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that is no reference to a row, those of nested and optional values among them."""
    for name, field_schema in schema.get("properties", {}).items():
        if name.endswith(("_id", "_ids")):
            continue
        for branch in field_schema.get("anyOf", [field_schema]):
            resolved = definitions.get(str(branch.get("$ref", "")).rpartition("/")[2], branch)
            if "properties" in resolved:
                yield from _fields(resolved, definitions)
            elif resolved.get("type") != "null":
                yield name, resolved
