"""The simulated approver: answers approvals over the HTTP API, by a choice that depends on the question and not on when it is asked."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import httpx

from tools.sandbox.draws import Dice

CHOICES = (("approve", 0.90), ("edit", 0.04), ("reject", 0.06))
NOTE = "answered by the demo's simulated approver"
# Answered by somebody else, superseded, expired or closed in the meantime: there is nothing left to answer.
OVERTAKEN = frozenset({404, 409, 410})


class SimulatedApprover:
    """Approves nine in ten, shortens a grace now and then, rejects the rest. Keyed by invoice, action, step and how often it was asked."""

    def __init__(self, client: httpx.AsyncClient, seed: int) -> None:
        self._client, self._dice = client, Dice(seed)
        self._asked: Counter[tuple[str, ...]] = Counter()
        self._invoices: dict[str, str] = {}

    async def answer_all(self) -> int:
        """Answers everything that waits, oldest first, and gives the number of answers taken."""
        response = (await self._client.get("/api/v1/approvals", params={"status": "pending", "limit": 200})).raise_for_status()
        return sum([await self._answer(approval) for approval in reversed(response.json()["items"])])

    async def _answer(self, approval: dict[str, Any]) -> bool:
        invoice = await self._invoice_of(approval["case_id"])
        decisions = [self._decide(invoice, request) for request in approval["request"]["action_requests"]]
        response = await self._client.post(
            f"/api/v1/approvals/{approval['id']}/decisions",
            json={"digest": approval["digest"], "decisions": decisions, "note": NOTE},
        )
        if response.status_code in OVERTAKEN:
            return False
        response.raise_for_status()
        return True

    def _decide(self, invoice: str, request: dict[str, Any]) -> dict[str, Any]:
        name, args = request["name"], request["args"]
        question = (invoice, name, str(args.get("step", "")))
        self._asked[question] += 1
        choice = self._dice.choose(CHOICES, "approver", *question, self._asked[question])
        if choice == "reject":
            return {"type": "reject", "message": "not now (simulated)"}
        if choice == "edit" and name == "extend_grace":
            until = datetime.fromisoformat(args["until"]) - timedelta(days=1)
            return {"type": "edit", "edited_action": {"name": name, "args": {"until": until.isoformat()}}}
        return {"type": "approve"}

    async def _invoice_of(self, case_id: str) -> str:
        if case_id not in self._invoices:
            case = (await self._client.get(f"/api/v1/cases/{case_id}")).raise_for_status().json()
            self._invoices[case_id] = case["facts"]["invoice"]["vendor_id"]
        return self._invoices[case_id]
