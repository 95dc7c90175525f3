"""What the tools may show of one case: one value, bound when the tools are made, so that nothing a model says can point at another."""

from dataclasses import dataclass

from recoup.facts import CaseFacts
from recoup.incidents import IncidentSource
from recoup.policy import Policy
from recoup.proposal import Proposal
from recoup.tickets import TicketMemory


@dataclass(frozen=True)
class CaseView:
    """The case's facts, the policy and the plan of the rules, and the ports that know more. A port that is None has nothing to tell."""

    facts: CaseFacts
    policy: Policy
    plan: Proposal
    tickets: TicketMemory | None = None
    incidents: IncidentSource | None = None
