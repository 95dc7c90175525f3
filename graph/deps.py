"""What the nodes need of the outside, passed in as one value."""

from collections.abc import Callable
from dataclasses import dataclass, field

from recoup.clock import Clock
from recoup.drafts import DraftStore, NoDrafts
from recoup.incidents import IncidentSource
from recoup.model_port import Model, NoModel
from recoup.ports import FactsSource, PolicySource
from recoup.texts import NoTexts, TextSource
from recoup.tickets import TicketMemory


@dataclass(frozen=True)
class GraphDeps:
    """``new_id`` makes a row id of a kind, such as ``new_id("action")``. Without a ``model`` rules decide alone.

    ``texts`` are for the reader alone. ``tickets`` and ``incidents`` answer tools; None: there is nothing to ask."""

    facts: FactsSource
    policies: PolicySource
    clock: Clock
    new_id: Callable[[str], str]
    model: Model = field(default_factory=NoModel)
    drafts: DraftStore = field(default_factory=NoDrafts)
    texts: TextSource = field(default_factory=NoTexts)
    tickets: TicketMemory | None = None
    incidents: IncidentSource | None = None

    def new_action_id(self) -> str:
        """The id that a proposed action keeps for good: it becomes the key of its effect."""
        return self.new_id("action")
