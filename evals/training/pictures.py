"""The pictures of a model's card, as PNG."""

from collections.abc import Mapping

from evals.backtest.calibration import Calibration
from evals.canvas import INK, LINE, NARROW, OURS, WIDE, canvas, percent, png, titled
from evals.training.card import FEATURES_SHOWN
from evals.training.train import Trained


def draw(trained: Trained) -> dict[str, bytes]:
    """Each picture by its name; one that there is nothing to draw for is left out."""
    pictures: dict[str, bytes] = {}
    measured = next((trained.measured[name] for name in ("customers", "both", "later") if name in trained.measured), None)
    if measured and measured.calibration:
        pictures["calibration"] = _calibration(measured.calibration)
    if len(trained.model.trees.roots):
        pictures["importance"] = _importance(trained.gain)
    return pictures


def _calibration(found: Calibration) -> bytes:
    figure, axes = canvas(NARROW, 5.6)
    top = min(1.0, max(max(group.approved_ci[1], group.expected) for group in found.groups) * 1.06)
    axes.plot([0, top], [0, top], color=LINE, linewidth=1.2, linestyle="--")
    for group in found.groups:
        axes.plot([group.expected, group.expected], list(group.approved_ci), color=OURS, linewidth=1.4, alpha=0.6)
    axes.plot([group.expected for group in found.groups], [group.approved for group in found.groups], "o", color=OURS, markersize=6)
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="expected to be approved", ylabel="approved")
    axes.xaxis.set_major_formatter(percent())
    axes.yaxis.set_major_formatter(percent())
    titled(axes, "Do its chances come true?", f"{found.attempts:,} retries that it had not seen, in groups of equal size", "both")
    return png(figure)


def _importance(gain: Mapping[str, float]) -> bytes:
    total = sum(gain.values()) or 1.0
    top = sorted(gain.items(), key=lambda item: -item[1])[:FEATURES_SHOWN][::-1]
    figure, axes = canvas(WIDE, 0.9 + 0.34 * len(top))
    axes.barh([name.replace("_", " ") for name, _ in top], [value / total for _, value in top], color=OURS, height=0.62)
    for height, (_, value) in enumerate(top):
        axes.annotate(f"{value / total:.0%}", (value / total, height), xytext=(5, -4), textcoords="offset points", color=INK, fontsize=9)
    axes.xaxis.set_major_formatter(percent())
    titled(axes, "What the trees go by", "share of what their splits took off the loss, beyond the prior", "x")
    return png(figure)
