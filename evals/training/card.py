"""The card of a model: what it was trained on, how good it is on what it had not seen, what it goes by, and where it does not hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.planner.paydays import Floats
from agents.planner.prior import TRUTHS, published
from agents.planner.response import published_response
from evals.training.boosting import FEWEST_EXAMPLES
from evals.training.measures import Measured
from evals.training.splits import EARLIER_SHARE, FOLDS
from evals.training.train import Trained

FEATURES_SHOWN = 12
PROBLEMS_SHOWN = 20
KEPT_BACK = {
    "customers": "unseen customers, same time",
    "later": "known customers, later",
    "both": "unseen customers, later",
}
GROUP_WORDS = {
    "funds": "insufficient funds",
    "generic": "generic",
    "technical": "technical",
    "other": "needs the customer",
    "fresh": "a new card",
}
TRUTH_WORDS = {
    "paydays": "short until payday",
    "moods": "the bank's mood",
    "gone": "will not pay as it stands",
    "passing": "a bank that is away",
    "good": "nothing wrong",
}


@dataclass(frozen=True)
class Heading:
    """A section begins."""

    text: str


@dataclass(frozen=True)
class Said:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Listed:
    """Points."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """A table under a line that says what it shows."""

    says: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """One of ``pictures.draw``."""

    name: str
    caption: str


Block = Heading | Said | Listed | Shown | Picture


def card_of(trained: Trained, source: str, problems: Sequence[str]) -> tuple[Block, ...]:
    """Everything that the card says, in order. ``source``: where the history came from; ``problems``: its bad rows, one a line."""
    return (
        *_data(trained, source, problems),
        *_quality(trained),
        *_looked_at(trained),
        *_learned(trained),
        Heading("Limits"),
        Listed(tuple(_limits(trained))),
    )


def headline(trained: Trained) -> str:
    """The one sentence for whoever reads no more."""
    unseen = trained.measured.get("customers")
    if trained.model.told.get("rows") is None or unseen is None:
        return "There was too little to learn from: this is the published prior, moved by next to nothing, and nothing could be measured."
    error = "" if unseen.calibration_error is None else f", and its chances are off by {unseen.calibration_error:.3f} on average"
    beats = f"takes {unseen.skill:.0%} off the squared error" if unseen.skill > 0 else "is no better than"
    return f"On customers it had not seen, the model {beats} of each category's own approval rate{error}."


def _data(trained: Trained, source: str, problems: Sequence[str]) -> list[Block]:
    first, last, cutoff = (_day(at) for at in (*trained.span, trained.cutoff))
    blocks: list[Block] = [
        Heading("Data"),
        Said(
            f"{source}: {trained.rows:,} rows of {trained.customers:,} customers, {first} to {last}. {trained.retries:,} retries of"
            f" invoices whose first charge had failed{_why_logged(trained)}; {trained.examples:,} of them were looked at."
            f" {trained.courses:,} courses of retries moved the prior's weights, {trained.messages:,} messages the response."
        ),
        Said(
            f"Kept back: one customer in {FOLDS}, by their id, and all retries from {cutoff} on, the last {1 - EARLIER_SHARE:.0%}. Another"
            f" fifth of the customers said when there were enough trees. The model's own trees are as many, grown on everything;"
            f" the prior's weights never saw what was kept back."
        ),
        Said(f"{len(problems):,} rows were bad and left out; all of them are in bad_rows.csv." if problems else "No row was bad."),
    ]
    return [*blocks, Listed(tuple(problems[:PROBLEMS_SHOWN]))] if problems else blocks


def _quality(trained: Trained) -> list[Block]:
    heads = (
        "kept back",
        "retries",
        "customers",
        "approved",
        "Brier skill",
        "without trees",
        "over the published prior",
        "calibration error",
    )
    rows = tuple(_measures(KEPT_BACK[name], one) for name, one in trained.measured.items())
    blocks: list[Block] = [
        Heading("How good it is"),
        Said(
            "Brier skill: how much of the squared error of a forecast is taken away that knows each decline category's approval rate in"
            " the training data alone. 0 is as good as that, 1 is perfect. Calibration error: how far the expected share approved and"
            " the real one lie apart, on average over tenths of the retries."
        ),
        Shown("On retries that the judged model had not seen.", heads, rows),
    ]
    if any(one.calibration for one in trained.measured.values()):
        blocks.append(
            Picture("calibration", "Expected and real approval, in tenths of the retries of unseen customers, with 95 % intervals.")
        )
    return blocks


def _measures(name: str, one: Measured) -> tuple[str, ...]:
    error = "" if one.calibration_error is None else f"{one.calibration_error:.3f}"
    skills = (one.skill, one.skill_without_trees, one.skill_over_cold)
    return (name, f"{one.attempts:,}", f"{one.customers:,}", f"{one.approved:.1%}", *(f"{skill:.3f}" for skill in skills), error)


def _looked_at(trained: Trained) -> list[Block]:
    count = len(trained.model.trees.roots)
    if not count:
        said = (
            f"There are no trees: fewer than {FEWEST_EXAMPLES:,} retries to learn from, or no gain on those that were not learned from."
            " The prior speaks alone, its weights moved as far as the data speak for it."
        )
        return [Heading("What it goes by"), Said(said)]
    top = sorted(trained.gain.items(), key=lambda item: -item[1])[:FEATURES_SHOWN]
    total = sum(trained.gain.values()) or 1.0
    return [
        Heading("What it goes by"),
        Said(f"{count} trees correct the prior. What their splits took off the loss, by feature:"),
        Shown("Share of the gain.", ("feature", "share"), tuple((name, f"{gain / total:.1%}") for name, gain in top)),
        Picture("importance", "What the trees go by, beyond the prior that they start from."),
    ]


def _learned(trained: Trained) -> list[Block]:
    before, now = published().truths, trained.model.prior.truths
    rows = tuple(
        (GROUP_WORDS[group], *(f"{b:.0%} → {n:.0%}" for b, n in zip(_shares(before[group]), _shares(now[group]), strict=True)))
        for group in GROUP_WORDS
    )
    old, new = published_response(), trained.model.response
    moves = tuple(
        (f"message on day {day:.0f} moves", f"{was:.1%}", f"{now_:.1%}")
        for day, was, now_ in zip(old.days, old.moves, new.moves, strict=True)
    )
    more = (
        ("more where only the customer can mend it", f"× {old.needed_times:.2f}", f"× {new.needed_times:.2f}"),
        ("leave because of a first message", f"{old.annoyed:.2%}", f"{new.annoyed:.2%}"),
    )
    channels = tuple(
        (f"by {name} instead of e-mail", f"× {times:.2f}", f"× {new.other_channel_times[name]:.2f}")
        for name, times in old.other_channel_times.items()
    )
    return [
        Heading("What the data moved"),
        Shown("What is behind a decline: published → now.", ("after", *(TRUTH_WORDS[truth] for truth in TRUTHS)), rows),
        Shown("What a message does.", ("", "published", "now"), (*moves, *more, *channels)),
    ]


def _limits(trained: Trained) -> list[str]:
    limits = [
        "It knows charges that were made. What the history never tried (an hour, a week after the failure) it judges by the prior and by"
        " its neighbours.",
        "Who was retried was chosen by somebody: where the choice rested on what is not in the history, chances are biased by it. Bounded"
        " exploration with logged propensities mends that with time.",
        "Who was written to was chosen too. What a message does is told from those who got one beside those who got none, not from an"
        " experiment.",
        "It was not trained on names, addresses, texts, card numbers, amounts of other merchants, the content of replies, holidays, or"
        " anything that happened after a retry.",
        "It says nothing of first charges, of disputes, or of whether a customer should be charged: rules and policy do.",
    ]
    later, unseen = trained.measured.get("later"), trained.measured.get("customers")
    if later and unseen and later.skill < unseen.skill - 0.05:
        limits.append("It is clearly weaker on later retries than on those of its own time: the world moves. Train it again often.")
    if trained.examples < 10 * FEWEST_EXAMPLES:
        limits.append(f"{trained.examples:,} retries are few: the measures above are rough, and much is still as published.")
    return limits


def _why_logged(trained: Trained) -> str:
    return " and whose propensity was logged: only those are a fair sample here" if trained.only_logged else ""


def _shares(weights: Floats) -> list[float]:
    return [float(weight) / float(weights.sum()) for weight in weights]


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
