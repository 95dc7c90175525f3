"""The pictures of a backtest's report, as PNG: Recoup and its strongest rival in colour, everybody else in grey beside them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evals.backtest.bootstrap import Estimate
from evals.backtest.calibration import Calibration
from evals.backtest.figures import ORACLE, RECOUP, Comparison
from evals.backtest.outcome import WINDOW_DAYS
from evals.backtest.wording import category_words
from evals.canvas import BOUND, INK, NARROW, OTHERS, OURS, PALE, RIVAL, WIDE, canvas, percent, png, titled
from recoup.money import exponent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Labels at the right edge of a picture stand at least so far apart, as a share of its height.
LABEL_GAP = 0.045


def draw(found: Comparison, currency: str) -> dict[str, bytes]:
    """Each picture's PNG by its name. One that there is nothing to draw for is left out."""
    pictures = {
        "net_per_case": _net_per_case(found, currency),
        "recovery_by_day": _recovery_by_day(found),
        "recovery_by_category": _recovery_by_category(found),
        "attempts_and_recovery": _attempts_and_recovery(found),
    }
    lifts = {name: one.lift for name, one in found.against.items() if one.lift.ci is not None and name != "never"}
    if lifts:
        pictures["lift"] = _lift(found, lifts)
    if found.calibrations:
        pictures["calibration"] = _calibration(found.calibrations)
    return pictures


def colour_of(name: str, best: str | None) -> str:
    """Whose line or point it is."""
    return {RECOUP: OURS, best: RIVAL, ORACLE: BOUND}.get(name, OTHERS)


def _net_per_case(found: Comparison, currency: str) -> bytes:
    rows, unit = sorted(found.policies.items(), key=lambda item: item[1].net_minor), 10.0 ** -exponent(currency)
    figure, axes = canvas(WIDE, 0.9 + 0.42 * len(rows))
    for height, (name, figures) in enumerate(rows):
        _with_interval(axes, figures.net_per_case_minor, height, colour_of(name, found.best_baseline), unit)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    if found.clairvoyant_net_minor is not None:
        clairvoyant = found.clairvoyant_net_minor / found.cases * unit
        axes.axvline(clairvoyant, color=BOUND, linestyle=":", linewidth=1.2)
        axes.annotate("clairvoyant", (clairvoyant, 0), textcoords="offset points", xytext=(-5, 0), ha="right", color=BOUND, fontsize=9)
    titled(axes, "Net value per failed payment", f"collected within 28 days, less costs, in {currency}, with 95% interval", "x")
    axes.set_xlim(left=0)
    return png(figure)


def _recovery_by_day(found: Comparison) -> bytes:
    figure, axes = canvas(WIDE, 4.8)
    ends: list[tuple[str, float, str]] = []
    for name, figures in found.policies.items():
        shares = figures.recovered_by_day
        if not shares:
            continue
        colour, is_named = colour_of(name, found.best_baseline), name in {RECOUP, found.best_baseline}
        axes.plot(range(len(shares)), shares, color=colour, linewidth=2.4 if is_named else 1.3, zorder=3 if is_named else 2)
        ends.append((name, shares[-1], colour))
    oracle = found.policies.get(ORACLE)
    if oracle is not None and oracle.recovery_rate.value is not None:
        axes.axhline(oracle.recovery_rate.value, color=BOUND, linestyle="--", linewidth=1.2)
        ends.append(("oracle's plan", oracle.recovery_rate.value, BOUND))
    top = max(share for _, share, _ in ends) * 1.08 or 1.0
    axes.set(xlim=(0, WINDOW_DAYS), ylim=(0, top), xlabel="days since the payment failed")
    _label_ends(axes, ends, top)
    axes.yaxis.set_major_formatter(percent())
    titled(axes, "Recovered so far, by day", "share of all failed payments", "y")
    return png(figure)


def _recovery_by_category(found: Comparison) -> bytes:
    rows = list(found.categories.items())[::-1]
    figure, axes = canvas(WIDE, 1.2 + 0.5 * len(rows))
    for height, (_, category) in enumerate(rows):
        rates = category.recovery_rates
        axes.plot([min(rates.values()), max(rates.values())], [height, height], color=PALE, linewidth=6, solid_capstyle="round", zorder=1)
        for name, rate in rates.items():
            is_named = name in {RECOUP, found.best_baseline}
            axes.scatter(rate, height, s=70 if is_named else 34, color=colour_of(name, found.best_baseline), zorder=4 if is_named else 3)
    axes.set_yticks(range(len(rows)), [f"{category_words(name)}  ({category.cases:,})" for name, category in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.xaxis.set_major_formatter(percent())
    names = [name for name in (RECOUP, found.best_baseline) if name is not None and name in found.policies]
    _legend(axes, [*((name, colour_of(name, found.best_baseline)) for name in names), ("other policies", OTHERS)])
    titled(axes, "Recovered, by what the first decline meant", "share of that category's failed payments (how many there were)", "x")
    return png(figure)


def _attempts_and_recovery(found: Comparison) -> bytes:
    figure, axes = canvas(WIDE, 4.8)
    points = {
        name: (one.attempts_per_case, one.recovery_rate.value)
        for name, one in found.policies.items()
        if one.attempts_per_case is not None and one.recovery_rate.value is not None
    }
    frontier = [point for point in sorted(points.values()) if not any(o[0] <= point[0] and o[1] > point[1] for o in points.values())]
    axes.plot(*zip(*frontier, strict=True), color=PALE, linewidth=6, zorder=1, solid_capstyle="round", solid_joinstyle="round")
    placed: list[tuple[float, float]] = []
    for name, (attempts, share) in sorted(points.items(), key=lambda item: item[1][1], reverse=True):
        colour = colour_of(name, found.best_baseline)
        ci = found.policies[name].recovery_rate.ci
        if ci is not None:
            axes.plot([attempts, attempts], ci, color=colour, linewidth=1.6)
        axes.scatter(attempts, share, s=80 if colour != OTHERS else 46, color=colour, zorder=4)
        word = INK if colour == OTHERS else colour
        # A name that would lie on another, of a policy that did about the same, goes below its point.
        is_near = any(abs(attempts - x) < 0.6 and abs(share - y) < 0.03 for x, y in placed)
        placed.append((attempts, share))
        axes.annotate(name, (attempts, share), textcoords="offset points", xytext=(8, -13 if is_near else 5), color=word, fontsize=9)
    oracle = found.policies.get(ORACLE)
    if oracle is not None and oracle.recovery_rate.value is not None:
        axes.axhline(oracle.recovery_rate.value, color=BOUND, linestyle="--", linewidth=1.2)
        axes.annotate("oracle's plan", (0, oracle.recovery_rate.value), textcoords="offset points", xytext=(4, 4), color=BOUND, fontsize=9)
    highest = max(figures.recovery_rate.value or 0 for figures in found.policies.values()) or 1.0
    axes.set(xlabel="attempts per failed payment", ylim=(0, highest * 1.12), xlim=(-0.05, max(x for x, _ in points.values()) * 1.2 + 0.1))
    axes.yaxis.set_major_formatter(percent())
    titled(axes, "Attempts spent, and what they brought", "share recovered; up and to the left is better", "both")
    return png(figure)


def _lift(found: Comparison, lifts: Mapping[str, Estimate]) -> bytes:
    rows = sorted(lifts.items(), key=lambda item: item[1].value or 0, reverse=True)
    figure, axes = canvas(WIDE, 1.1 + 0.42 * len(rows))
    for height, (name, lift) in enumerate(rows):
        _with_interval(axes, lift, height, RIVAL if name == found.best_baseline else OURS, 1.0)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(rows)), [f"over {name}" for name, _ in rows])
    axes.xaxis.set_major_formatter(percent())
    titled(axes, "How much more net value Recoup brings", "than each other policy, with 95% interval", "x")
    return png(figure)


def _calibration(calibrations: Mapping[str, Calibration]) -> bytes:
    figure, axes = canvas(NARROW, 5.2)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--")
    for name, one in calibrations.items():
        colour = OURS if name == RECOUP else OTHERS
        for group in one.groups:
            axes.plot([group.expected] * 2, group.approved_ci, color=colour, linewidth=1.4)
        axes.plot([g.expected for g in one.groups], [g.approved for g in one.groups], "o-", color=colour, linewidth=1.6, markersize=6)
        axes.plot([], [], "o-", color=colour, label=f"{name}: {one.attempts:,} attempts, off by {one.error:.1%} on average")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="expected to be approved")
    axes.xaxis.set_major_formatter(percent())
    axes.yaxis.set_major_formatter(percent())
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    titled(axes, "Did what was expected come true?", "share approved, in ten groups of equally many attempts", "both")
    return png(figure)


def _with_interval(axes: "Axes", estimate: Estimate, height: float, colour: str, unit: float) -> None:
    if estimate.value is None:
        return
    if estimate.ci is not None:
        axes.plot([end * unit for end in estimate.ci], [height, height], color=colour, linewidth=2.6, solid_capstyle="butt")
    axes.scatter(estimate.value * unit, height, s=62, color=colour, zorder=3)


def _label_ends(axes: "Axes", ends: Sequence[tuple[str, float, str]], top: float) -> None:
    """Names beside the lines' right ends, pushed apart where they would lie on each other."""
    lowest = -1.0
    for name, share, colour in sorted(ends, key=lambda end: end[1]):
        lowest = max(share / top, lowest + LABEL_GAP)
        axes.annotate(name, (1.01, lowest), xycoords="axes fraction", va="center", color=colour, fontsize=9)


def _legend(axes: "Axes", entries: Sequence[tuple[str, str]]) -> None:
    for name, colour in entries:
        axes.scatter([], [], s=60, color=colour, label=name)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=len(entries), frameon=False, fontsize=9)
