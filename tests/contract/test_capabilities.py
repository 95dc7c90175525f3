"""What a platform cannot do the gate denies with that reason, in every mode: nobody is asked for it either."""

import pytest

from recoup.actions import SPECIFICATION, ActionName, RiskClass, make_action
from recoup.gate import judge
from recoup.policy import Mode, Policy
from recoup.ports import BillingPlatform
from recoup.proposal import Answer
from recoup.settings import Platform
from tests.contract.test_actions import BENCHES
from tests.factories import connection_facts, make_connection, proposed
from tools.billing.recurly import RecurlyBilling
from tools.billing.stripe import StripeBilling

REACHING = [name for name, (risk, _) in SPECIFICATION.items() if risk in {RiskClass.CHARGE, RiskClass.ACCOUNT}]
STRIPE_CANNOT = {"extend_grace", "offer_payment_plan", "offer_discount", "refer_to_agency"}
RECURLY_CANNOT = STRIPE_CANNOT | {"take_over_collection", "hand_back_collection", "suspend_service", "reinstate_service"}


def platform_of(kind: Platform) -> BillingPlatform:
    connection = make_connection(platform=kind, api_key="sk_test_1")
    return StripeBilling(connection) if kind is Platform.STRIPE else RecurlyBilling(connection)


@pytest.mark.parametrize(("kind", "cannot"), [(Platform.STRIPE, STRIPE_CANNOT), (Platform.RECURLY, RECURLY_CANNOT)])
async def test_what_it_declares_is_what_it_can_do(kind: Platform, cannot: set[str]) -> None:
    capabilities = platform_of(kind).capabilities
    assert {str(name) for name in REACHING} - capabilities == cannot
    assert "read" in capabilities


@pytest.mark.parametrize("mode", [Mode.APPROVE, Mode.AUTO, Mode.SHADOW])
@pytest.mark.parametrize("name", REACHING)
@pytest.mark.parametrize("kind", [Platform.STRIPE, Platform.RECURLY])
async def test_the_gate_denies_exactly_what_is_missing_and_says_so(kind: Platform, name: ActionName, mode: Mode) -> None:
    capabilities, bench = platform_of(kind).capabilities, BENCHES[name]
    connection = connection_facts(platform=str(kind), capabilities=tuple(sorted(capabilities)))
    facts = bench.facts.model_copy(update={"connection": connection})
    verdict = judge(proposed(make_action(name, bench.args(facts))), (), facts, Policy(mode=mode, agencies=("knock-knock",)))
    said = [hit.detail for hit in verdict.rules if hit.rule == "capability-missing"]
    assert said == ([] if name in capabilities else [f"capability missing: {name}"])
    if name not in capabilities:
        assert verdict.answer is Answer.DENY
        assert verdict.reason == f"capability missing: {name}"
        assert verdict.not_before is None
