"""A world that is not ours: it knows nothing of Recoup but the types of the protocol. ``tests.other_world:other_world`` is its factory."""

from tests.other_world.queues import other_world

__all__ = ["other_world"]
