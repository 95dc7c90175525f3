"""What the nodes need of the outside, passed in as one value."""

from collections.abc import Callable
from dataclasses import dataclass, field

from recoup.clock import Clock
from recoup.drafts import DraftStore, NoDrafts
from recoup.model_port import Model, NoModel
from recoup.ports import FactsSource, PolicySource


@dataclass(frozen=True)
class GraphDeps:
    """``new_id`` makes a row id of a kind, such as ``new_id("action")``. Without a ``model`` rules decide alone."""

    facts: FactsSource
    policies: PolicySource
    clock: Clock
    new_id: Callable[[str], str]
    model: Model = field(default_factory=NoModel)
    drafts: DraftStore = field(default_factory=NoDrafts)

    def new_action_id(self) -> str:
        """The id that a proposed action keeps for good: it becomes the key of its effect."""
        return self.new_id("action")
