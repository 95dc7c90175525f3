"""The report of a world: its bands in a table and in pictures, on one page."""

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from evals.backtest.outcome import WINDOW_DAYS
from evals.backtest.wording import category_words, percent
from evals.canvas import BOUND, INK, OTHERS, OURS, PALE, RIVAL, WIDE, canvas, png, titled
from evals.canvas import percent as percent_ticks
from evals.html import Cell, figure, listed, page, paragraph, table
from evals.world_report import SOFT, Band, Probe, WorldFindings, day_of, first_retry_approval

CAPTIONS = {
    "bands": "Grey: where the published figure lies. Large dot: all seeds together, orange where it lies outside. Small dots: each seed.",
    "recoveries_by_day": "Day 1 is the first 24 hours after the failure.",
    "first_retry": "The fixed ladder's first retry, a day after the failure, on the method that had failed.",
}
HOW = (
    "Cases are played under the fixed ladder: retries on days 1, 3, 5 and 7, messages on 0, 3, 7 and 14, new cards charged at once.",
    "Retries' share: of the recovered, those paid by a charge of the method that had failed, an updater's new data included. The rest are"
    " customers who put another method on file or paid by a link.",
    "The published figures are of other merchants, with other habits; a world within the bands is plausible, not true.",
)


def write_world_report(out: Path, found: WorldFindings, probes: Sequence[Probe]) -> Path:
    """Writes ``world.html``, ``world.json`` and the pictures into the folder, which is made, and tells where the page is."""
    out.mkdir(parents=True, exist_ok=True)
    pictures = {"bands": _bands(found), "recoveries_by_day": _by_day(probes), "first_retry": _first_retry(probes)}
    for name, picture in pictures.items():
        (out / f"{name}.png").write_bytes(picture)
    (out / "world.json").write_text(json.dumps(found.as_json(), indent=2) + "\n", encoding="utf-8")
    report = out / "world.html"
    report.write_text(_page(found, pictures), encoding="utf-8")
    return report


def _page(found: WorldFindings, pictures: dict[str, bytes]) -> str:
    outside = [band.name for band in found.bands if not band.holds]
    said = (
        f"{len(found.bands) - len(outside)} of {len(found.bands)} bands hold."
        if outside
        else f"All {len(found.bands)} bands of published figures hold."
    )
    rows = [
        (
            Cell(band.name, "words"),
            percent(band.value),
            f"{band.low:.0%} to {band.high:.0%}",
            "holds" if band.holds else "outside",
            _range(band),
            Cell(band.source, "words"),
        )
        for band in found.bands
    ]
    heads = ("Figure", "Here", "Band", "Finding", "Seeds, lowest and highest", Cell("Published", "words"))
    parts = [
        f"<h1>{escape(page_title(found))}</h1>",
        paragraph(f"{len(found.seeds)} seeds · {found.cases:,} failed payments", "faint"),
        f'<p class="headline">{said}</p>',
        paragraph(f"An oracle's plan would recover {percent(found.oracle_rate)}: a ceiling, for which there is no published figure."),
        table(heads, rows, dict.fromkeys(outside, "rival")),
        "<h2>In pictures</h2>",
        *(figure(name, pictures[name], caption) for name, caption in CAPTIONS.items()),
        "<h2>How it is counted</h2>",
        listed(HOW),
    ]
    return page(page_title(found), parts)


def page_title(found: WorldFindings) -> str:
    """What the page is called."""
    return f"World {found.world} beside published figures"


def _range(band: Band) -> str:
    values = [value for value in band.by_seed.values() if value is not None]
    return f"{min(values):.1%} to {max(values):.1%}" if values else "–"


def _bands(found: WorldFindings) -> bytes:
    rows = found.bands[::-1]
    figure_, axes = canvas(WIDE, 1.1 + 0.42 * len(rows))
    for height, band in enumerate(rows):
        axes.plot([band.low, band.high], [height, height], color=PALE, linewidth=11, solid_capstyle="butt", zorder=1)
        alone = [value for value in band.by_seed.values() if value is not None]
        axes.scatter(alone, [height] * len(alone), s=16, color=OTHERS, zorder=2)
        if band.value is not None:
            axes.scatter(band.value, height, s=70, color=OURS if band.holds else RIVAL, zorder=3)
    axes.set_yticks(range(len(rows)), [band.name for band in rows])
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(percent_ticks())
    titled(axes, "Here, and in published figures", "shares", "x")
    return png(figure_)


def _by_day(probes: Sequence[Probe]) -> bytes:
    figure_, axes = canvas(WIDE, 3.8)
    days = range(1, int(WINDOW_DAYS) + 1)
    recovered = [one for one in probes if one.outcome.recovered]
    kinds = {
        "by a retry": (OURS, [one for one in recovered if one.outcome.by_retry and not one.on_new_method]),
        "on a new method": (BOUND, [one for one in recovered if one.on_new_method]),
        "by link": (OTHERS, [one for one in recovered if not one.outcome.by_retry]),
    }
    below = [0.0] * len(days)
    for name, (colour, some) in kinds.items():
        counts = Counter(day_of(one.outcome) for one in some)
        heights = [counts[day] / len(probes) for day in days]
        axes.bar(days, heights, bottom=below, color=colour, label=name, width=0.8)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set(xlabel="day", xlim=(0.3, days[-1] + 0.7))
    axes.yaxis.set_major_formatter(percent_ticks())
    axes.legend(frameon=False, fontsize=9)
    titled(axes, "When failed payments are recovered", "share of all failed payments, by day", "y")
    return png(figure_)


def _first_retry(probes: Sequence[Probe]) -> bytes:
    figure_, axes = canvas(WIDE, 2.6)
    rows = {"all soft declines": first_retry_approval(probes)}
    rows |= {category_words(one): first_retry_approval([p for p in probes if p.outcome.category == one]) for one in SOFT}
    for height, (name, value) in enumerate(reversed(rows.items())):
        axes.barh(height, value or 0.0, color=OURS if name == "all soft declines" else OTHERS, height=0.6)
        axes.annotate(percent(value), (value or 0.0, height), textcoords="offset points", xytext=(5, -3), color=INK, fontsize=9)
    axes.set_yticks(range(len(rows)), list(rows)[::-1])
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(percent_ticks())
    titled(axes, "First retry approved", "share, by what the first decline meant", "x")
    return png(figure_)
