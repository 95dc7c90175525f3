"""The report of a backtest: one HTML file that stands alone, its pictures, and the figures as JSON beside it."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from evals.backtest.figures import NON_INFERIORITY_MARGIN, ORACLE, RECOUP, Against, Comparison, PolicyFigures
from evals.backtest.outcome import WINDOW_DAYS
from evals.backtest.plots import draw
from evals.backtest.replay import Replay
from evals.backtest.replay_text import replay_html
from evals.backtest.report_words import DEFINITIONS, LIMITS
from evals.backtest.wording import POLICIES, category_words, headline, number, percent, signed, spread, supporting
from evals.html import Cell, definitions, figure, listed, page, paragraph, table
from recoup.money import format_money

CAPTIONS = {
    "lift": "A bar that does not touch the line at 0 is a difference that chance does not explain.",
    "recovery_by_day": "Where a line rises early, money comes in early. The dashed line is what the oracle's plan would recover.",
    "recovery_by_category": "Each row is one kind of decline, the most frequent on top.",
    "attempts_and_recovery": "Nobody recovers more with fewer attempts than those on the grey band.",
    "net_per_case": "The oracle sees what is hidden but not the future; the clairvoyant, a bound that nobody can reach, sees both.",
    "calibration": "How likely a policy held its attempts to succeed, against how often they did. Points under the line are boasts.",
}


def write_report(out: Path, found: Comparison, currency: str = "USD", replay: Replay | None = None) -> Path:
    """Writes ``report.html``, ``result.json`` and the pictures into the folder, which is made, and tells where the report is."""
    out.mkdir(parents=True, exist_ok=True)
    pictures = draw(found, currency)
    for name, picture in pictures.items():
        (out / f"{name}.png").write_bytes(picture)
    (out / "result.json").write_text(json.dumps(result_of(found, replay), indent=2) + "\n", encoding="utf-8")
    report = out / "report.html"
    report.write_text(report_html(found, pictures, currency, replay), encoding="utf-8")
    return report


def result_of(found: Comparison, replay: Replay | None = None) -> dict[str, Any]:
    """The figures as the one object that ``recoup backtest --json`` ends in."""
    return found.as_json() | ({} if replay is None else {"replay": replay.as_json()})


def report_html(found: Comparison, pictures: Mapping[str, bytes], currency: str, replay: Replay | None = None) -> str:
    """The whole page."""
    parts = [
        _opening(found, has_history=replay is not None),
        _compared(found),
        _policies(found, currency),
        _against(found),
        _categories(found),
        _seeds(found),
        *([] if replay is None else ["<h2>A history, replayed</h2>", replay_html(replay)]),
        "<h2>In pictures</h2>",
        *(figure(name, pictures[name], caption) for name, caption in CAPTIONS.items() if name in pictures),
        "<h2>How everything is defined</h2>",
        definitions(DEFINITIONS),
        "<h2>What this does not say</h2>",
        listed(LIMITS),
    ]
    return page(f"Backtest in {found.world}", parts)


def _opening(found: Comparison, *, has_history: bool) -> str:
    but = ", but for the history that is replayed," if has_history else ""
    cards = [
        ("Lift", found.lift, f"net value beyond {found.best_baseline}, the best other policy"),
        ("Edge", found.edge, f"of the way from {found.best_baseline} to the oracle"),
        ("Score", found.score, "of the way from the fixed ladder to the oracle"),
    ]
    shown = "".join(
        f'<div class="card"><span>{name}</span><b>{"–" if one.value is None else f"{one.value:.1%}"}</b><span>'
        f"{'' if one.ci is None else f'{one.ci[0]:.1%} to {one.ci[1]:.1%}, '}{escape(what)}</span></div>"
        for name, one, what in cards
    )
    return (
        "<h1>Backtest of payment recovery</h1>"
        + paragraph(f"World {found.world} · {_count(len(found.seeds), 'seed')} · {found.cases:,} failed payments", "faint")
        + '<p class="headline">'
        + escape(headline(found))
        + "</p>"
        + paragraph(" ".join(supporting(found)))
        + '<div class="simulated"><strong>Simulated.</strong> No real customer was charged or written to. Every figure on this page'
        f"{but} is of a made-up population whose rules are written down; it shows how policies compare there, not what your customers"
        " will do.</div>" + f'<div class="cards">{shown}</div>'
    )


def _compared(found: Comparison) -> str:
    seeds = ", ".join(map(str, found.seeds))
    where = (
        f"Each policy was played on the same {found.cases:,} failed payments of world {found.world}, seeds {seeds}. All of them ask the"
        " networks' rules before every charge, and charge a card that was changed at once; all but never write to customers."
    )
    picked = (
        f"The best other policy, {found.best_baseline}, was picked by its net value on {found.picked_on}."
        if found.best_baseline is not None
        else "There was no other policy to pick as the best."
    )
    if found.picked_on == "the judged seeds themselves":
        picked += " No training seeds were given; picking it here favours it, and not Recoup."
    rows = [(name, Cell(POLICIES.get(name, ""), "words")) for name in found.policies]
    return (
        "<h2>What was compared</h2>"
        + paragraph(where)
        + paragraph(picked)
        + table(("Policy", Cell("What it does", "words")), rows, _marks(found))
    )


def _policies(found: Comparison, currency: str) -> str:
    ordered = sorted(found.policies.items(), key=lambda item: -item[1].net_minor)

    def money(minor: float | None) -> str:
        return "–" if minor is None else format_money(round(minor), currency)

    def brought(name: str, one: PolicyFigures) -> tuple[str, ...]:
        recovered = spread(one.recovery_rate), spread(one.recovery_amount_share)
        return (
            name,
            *recovered,
            money(one.net_minor),
            money(one.net_per_case_minor.value),
            number(one.median_days),
            percent(one.retry_share),
        )

    def spent(name: str, one: PolicyFigures) -> tuple[str, ...]:
        breaches = "–" if one.cap_breaches is None else f"{one.cap_breaches:,}"
        effort = number(one.attempts_per_recovery), number(one.messages_per_case), money(one.costs_minor), money(one.fees_minor)
        return (name, *effort, percent(one.cancel_rate), breaches)

    heads = ("Policy", "Recovered", "Of the amount", "Net value", "Net per payment", "Median days", "By retries")
    clairvoyant = found.clairvoyant_net_minor
    note = "" if clairvoyant is None else f" A clairvoyant, who knows every draw before it falls, would net {money(clairvoyant)}."
    above = f"Within {WINDOW_DAYS:.0f} days of the failure; most net value first; in brackets, the 95% interval.{note}"
    first = table(heads, [brought(name, one) for name, one in ordered], _marks(found), above)
    heads = (
        "Policy",
        "Attempts per recovery",
        "Messages per payment",
        "Costs",
        "Of it network fees",
        "Customers cancelled",
        "Rule breaches",
    )
    return f"<h2>How each policy did</h2>{first}" + table(heads, [spent(*item) for item in ordered], _marks(found), "What it took.")


def _against(found: Comparison) -> str:
    if not found.against:
        return ""
    heads = ("Recoup against", "Net value", "Recovered, percentage points", "Cancelled, percentage points", "Attempts per recovery, ratio")
    rows = [
        (name, signed(one.lift) if one.lift.value is not None else "–", signed(one.recovered_more), signed(one.cancelled_more), _times(one))
        for name, one in found.against.items()
    ]
    return "<h2>Recoup against each of them</h2>" + table(
        heads, rows, _marks(found), "Differences on the same payments, with 95% intervals."
    )


def _times(one: Against) -> str:
    ratio = one.attempts_ratio
    return number(ratio.value, 2) if ratio.ci is None else f"{ratio.value:.2f} ({ratio.ci[0]:.2f}–{ratio.ci[1]:.2f})"


def _categories(found: Comparison) -> str:
    names = [name for name in found.policies if name != ORACLE]
    rates = [
        (category_words(category), f"{one.cases:,}", *(percent(one.recovery_rates[name]) for name in names))
        for category, one in found.categories.items()
    ]
    parts = ["<h2>By kind of decline</h2>", table(("First decline meant", "Payments", *names), rows=rates, above="Share recovered.")]
    if RECOUP in found.policies and found.best_baseline is not None:
        margin = f"{NON_INFERIORITY_MARGIN:.0%}"
        above = (
            f"Recoup against {found.best_baseline}. Non-inferior: even at the lower end of the interval it nets at most {margin} of what"
            f" was owed less. Inferior: even at the upper end it nets more than {margin} less. Undecided: too few payments to tell."
            " The margin was declared before any result was looked at."
        )
        compared = [
            (category_words(category), signed(one.net_more) if one.net_more.value is not None else "–", one.finding or "–")
            for category, one in found.categories.items()
        ]
        parts.append(table(("First decline meant", "Net difference, as a share of what was owed", "Finding"), compared, above=above))
    return "".join(parts)


def _seeds(found: Comparison) -> str:
    rows = [(f"seed {seed}", *(percent(one[name]) for name in ("lift", "edge", "score"))) for seed, one in found.by_seed.items()]
    text = "Each seed is a world of its own, drawn from the same ranges. How far they differ is no part of the intervals above."
    return "<h2>Seed by seed</h2>" + table(("", "Lift", "Edge", "Score"), rows, above=text)


def _marks(found: Comparison) -> dict[str, str]:
    """Which rows stand out, by their first word."""
    return {RECOUP: "ours", found.best_baseline or "": "rival", ORACLE: "bound"}


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
