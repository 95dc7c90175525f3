"""One case from a file as a world that stands still: for ``recoup decide --facts`` and for LangGraph Studio, which need no database."""

from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from graph.deps import GraphDeps
from recoup.clock import FixedClock
from recoup.errors import Malformed
from recoup.facts import CaseFacts
from recoup.ids import new_id
from recoup.policy import Policy


class FileFacts:
    """The FactsSource of one file: the world stands still, and there is one case whatever the id."""

    def __init__(self, facts: CaseFacts) -> None:
        self._facts = facts

    async def load(self, case_id: str, now: datetime) -> CaseFacts:  # noqa: ARG002 - the file has one case at one time
        """The facts."""
        return self._facts


class FilePolicy:
    """The PolicySource of one file, which has no versions."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    async def current(self) -> tuple[int, Policy]:
        """The policy."""
        return 0, self._policy

    async def version(self, number: int) -> Policy:  # noqa: ARG002 - there is one version
        """The same."""
        return self._policy


def offline_deps(facts: CaseFacts, policy: Policy) -> GraphDeps:
    """The graph's dependencies over one case that stands still; rules decide alone."""
    return GraphDeps(facts=FileFacts(facts), policies=FilePolicy(policy), clock=FixedClock(facts.now), new_id=new_id)


def read_facts(path: Path) -> CaseFacts:
    """The facts in the file; raises Malformed and names each field that is wrong."""
    try:
        return CaseFacts.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors())
        raise Malformed(f"{path} does not hold the facts of a case: {problems}") from exc
