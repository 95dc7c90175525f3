"""Puts whole objects in the place of their ids where a request asks for it with ``expand``."""

from typing import Any

from tests.vendors.stripe_errors import Refusal
from tests.vendors.stripe_shapes import render
from tests.vendors.stripe_shapes_billing import payments_page
from tests.vendors.stripe_state import Invoice, Version
from tests.vendors.stripe_world import World

DEEPEST = 4


def expand(world: World, root: dict[str, Any], path: str, version: Version) -> None:
    """Expands one path, such as ``data.latest_charge``. Raises Refusal if there is nothing to expand."""
    parts = path.split(".")
    if len(parts) > DEEPEST:
        raise Refusal(400, f"You cannot expand more than {DEEPEST} levels of a property ({path}).", param="expand")
    _into(world, root, parts, version, path)


def _into(world: World, node: Any, parts: list[str], version: Version, path: str) -> None:
    if isinstance(node, list):
        for item in node:  # pyright: ignore[reportUnknownVariableType] - JSON
            _into(world, item, parts, version, path)
        return
    head, rest = parts[0], parts[1:]
    if head == "payments" and version is Version.NEW and node.get("object") == "invoice":
        node[head] = payments_page(world, world.get(Invoice, node["id"]))
    elif head == "id" or head not in node:
        raise Refusal(400, f"This property cannot be expanded ({path}).", param="expand")
    value = node[head]
    if isinstance(value, str):
        thing = world.find(value)
        if thing is None:
            raise Refusal(400, f"This property cannot be expanded ({path}).", param="expand")
        node[head] = render(world, thing, version)
    if rest and node[head] is not None:
        _into(world, node[head], rest, version, path)
