"""What becomes of a case once nothing of the plan is worth its price any more: it is left, or people get it, or an agency, by value."""

from agents.planner.prior import published
from agents.planner.terms import Plan
from agents.planning import Part, Planner
from recoup.money import exponent, format_money
from recoup.proposal import Alternative

LAST = "the case is open until its last day; then it is what follows"


def what_follows(planner: Planner, plan: Plan) -> Part:
    """No charge is worth its price: why, and what each way of going on would be worth. People decide; the case stays open until its end."""
    invoice, policy = planner.facts.invoice, planner.policy
    amount, afterwards = invoice.remaining_minor, published().numbers["afterwards"]
    person_cost = float(policy.plan.person_cost_major) * 10 ** exponent(invoice.currency)
    ways = [
        ("hand it to a person", afterwards["person_brings"] * amount - person_cost, afterwards["person_brings"]),
        ("write it off", 0.0, 0.0),
    ]
    ways += [
        (f"refer it to {agency}", afterwards["agency_brings"] * (1 - afterwards["agency_keeps"]) * amount, afterwards["agency_brings"])
        for agency in policy.agencies
    ]
    best = max(ways, key=lambda way: way[1])
    charge = next((option for option in plan.left_out if option.kind == "retry"), None)
    tried = f"the best one would go through with {charge.chance:.0%}" if charge else "no time is left for one, or the rules allow none"
    says = f"No retry is worth its price now: {tried}. If it stays so, it is worth most to {best[0]} ({_money(best[1], planner)})."
    weighed = tuple(
        Alternative(what=what, why_not=LAST if what == best[0] else "it is worth less", value_minor=round(value, 2), chance=chance)
        for what, value, chance in ways
    )
    return Part(says=says, weighed=weighed)


def _money(minor: float, planner: Planner) -> str:
    return format_money(round(minor), planner.facts.invoice.currency)
