"""Puts what two searches found into one order: by meaning, by words, and by how long ago it was. Pure code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Hit(NamedTuple):
    """A chunk that one search found: the higher the score the better, comparable within that search alone."""

    chunk_id: str
    score: float


@dataclass(frozen=True)
class Weights:
    """How much each search counts, and age. ``floor``: what is left of a very old ticket's score; it halves its way there every
    ``half_life_days``. A choice between tickets of equal fit, not a filter: what happened before still happened."""

    dense: float = 0.5
    keywords: float = 0.5
    floor: float = 0.8
    half_life_days: float = 180.0


WEIGHTS = Weights()


def fused(dense: Sequence[Hit], keywords: Sequence[Hit], age_days: Mapping[str, float], weights: Weights = WEIGHTS) -> list[Hit]:
    """All chunks of both, best first. Each search's scores are set in relation to its own best, so that neither's scale decides."""
    scores: dict[str, float] = {}
    for hits, weight in ((dense, weights.dense), (keywords, weights.keywords)):
        best = max((hit.score for hit in hits), default=0.0)
        for hit in hits if best > 0 else ():
            scores[hit.chunk_id] = scores.get(hit.chunk_id, 0.0) + weight * max(0.0, hit.score) / best
    return sorted(
        (Hit(id_, score * recency(age_days[id_], weights)) for id_, score in scores.items()), key=lambda hit: (-hit.score, hit.chunk_id)
    )


def recency(age_days: float, weights: Weights = WEIGHTS) -> float:
    """1 for a ticket of today, falling to ``floor``."""
    return weights.floor + (1 - weights.floor) * 0.5 ** (max(0.0, age_days) / weights.half_life_days)
