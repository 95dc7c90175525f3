"""docs/connect-*.md name exactly the permissions and events that the check of a connection looks for."""

import re
from pathlib import Path

import pytest

from recoup.settings import Connection, Platform
from tests.factories import make_connection
from tools.billing.recurly_effects import CAPABILITIES
from tools.billing.recurly_examine import READS
from tools.billing.recurly_types import NEEDED_WEBHOOKS
from tools.billing.stripe import StripeBilling
from tools.billing.stripe_changes import TYPES
from tools.billing.stripe_permissions import ACTING, READING, to_act

DOCS = Path(__file__).parents[2] / "docs"
STRIPE, RECURLY = ((DOCS / name).read_text(encoding="utf-8") for name in ("connect-stripe.md", "connect-recurly.md"))
ROW = re.compile(r"^\| ([^|]+) \| (Read|Write) \| (.+) \|$", re.MULTILINE)


@pytest.fixture
def stripe() -> Connection:
    return make_connection(name="stripe-eu", platform=Platform.STRIPE, mirror=True, mirror_tags=("vip",))


def test_the_page_of_stripe_lists_every_permission_with_the_actions_that_need_it() -> None:
    rows = {f"{name}: {level}": re.findall(r"`(\w+)`", purpose) for name, level, purpose in ROW.findall(STRIPE)}
    assert list(rows) == [one.name for one in (*READING, *ACTING)]
    assert {one.name: list(one.needed_for) for one in ACTING} == {name: actions for name, actions in rows.items() if actions}


def test_every_action_at_stripe_has_its_permission(stripe: Connection) -> None:
    can = StripeBilling(stripe).capabilities - {"read", "note", "tag"}
    assert {action for one in ACTING for action in one.needed_for} == can


def test_what_the_mirror_needs_is_asked_for_where_it_is_on(stripe: Connection) -> None:
    needed = {one.name: one.needed_for for one in to_act(stripe)}
    assert "mirror" in needed["Invoices: Write"]
    assert needed["Customers: Write"] == ("mirror_tags",)
    assert to_act(stripe.model_copy(update={"mirror": False, "mirror_tags": ()})) == ACTING


@pytest.mark.parametrize(("page", "types"), [(STRIPE, TYPES), (RECURLY, NEEDED_WEBHOOKS)], ids=["stripe", "recurly"])
def test_the_pages_list_every_type_of_event(page: str, types: tuple[str, ...]) -> None:
    listed = page.split("## 3. Where webhooks go", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    assert listed.split() == list(types)


def test_the_page_of_recurly_lists_what_is_read_and_done() -> None:
    assert set(re.findall(r"^\| (\w+) \| read \|", RECURLY, re.MULTILINE)) == {*READS, "sites"}
    [actions] = re.findall(r"^\| full \| (.+) \|$", RECURLY, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", actions)) == CAPABILITIES - {"read", "note"}
