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
    """How much the search by meaning counts, of 1; the search by words has the rest. ``for_codes``: the same where the query names a code
    that is known, since then the words are right and the meaning blurs them. ``floor``: what is left of a very old ticket's score; it
    halves its way there every ``half_life_days``. That decides between tickets of like fit: what happened before still happened.

    The defaults are the best of those tried on the ``dev`` queries of evals/datasets/tickets."""

    dense: float = 0.7
    for_codes: float = 0.15
    floor: float = 0.95
    half_life_days: float = 180.0


WEIGHTS = Weights()


def fused(dense: Sequence[Hit], keywords: Sequence[Hit], age_days: Mapping[str, float], weight: float, weights: Weights) -> list[Hit]:
    """All chunks of both, best first. ``weight`` is that of ``dense``; what has none is left out."""
    by_meaning, by_words = _spread(dense), _spread(keywords)
    scores = {
        chunk_id: weight * by_meaning.get(chunk_id, 0.0) + (1 - weight) * by_words.get(chunk_id, 0.0)
        for chunk_id in by_meaning.keys() | by_words.keys()
    }
    hits = [Hit(chunk_id, score * recency(age_days[chunk_id], weights)) for chunk_id, score in scores.items() if score > 0]
    return sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))


def recency(age_days: float, weights: Weights = WEIGHTS) -> float:
    """1 for a ticket of today, falling to ``floor``."""
    return weights.floor + (1 - weights.floor) * 0.5 ** (max(0.0, age_days) / weights.half_life_days)


def _spread(hits: Sequence[Hit]) -> dict[str, float]:
    """Scores from just over 0 for the last to 1 for the best, so that neither search's own scale decides."""
    best, worst = (pick((hit.score for hit in hits), default=0.0) for pick in (max, min))
    return {hit.chunk_id: max(1e-6, (hit.score - worst) / (best - worst)) if best > worst else 1.0 for hit in hits}
