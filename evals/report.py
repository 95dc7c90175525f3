"""The comparison as one page that needs nothing else: what may not ship and why, all figures, and every changed sample side by side."""

from collections.abc import Iterable, Mapping

from evals.compare import Change, Compared
from evals.log import SuiteLog
from evals.metric import Metric, calls_and_tokens, metrics_of
from evals.scorer import Broken, Kind, Scored
from evals.shown import readable, shown, side_by_side
from evals.statistics import Difference

# Outputs are hostile text: even if one slipped through as markup, it may load and run nothing.
HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Recoup evals</title><style>
:root { color-scheme: light dark; --line: #8884; --bad: #c0392b; --good: #1e8449; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 84rem; padding: 0 1rem; }
h2 { margin-top: 2.2rem; } table { border-collapse: collapse; width: 100%; } .scroll { overflow-x: auto; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); font-weight: 600; } .dim { opacity: .65; }
.sample { border: 1px solid var(--line); border-radius: 6px; margin: 1rem 0; padding: .6rem .9rem; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; } @media (max-width: 50rem) { .sides { grid-template-columns: 1fr; } }
mark { background: #f1c40f44; color: inherit; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0; font: 12.5px/1.4 ui-monospace, monospace; unicode-bidi: isolate; }
</style></head><body>"""

COLUMNS = ("suite / scorer", "samples", "customers", "A", "B", "B - A", "95 %", "better", "worse", "p", "p corrected", "detectable")


def report_page(compared: Compared, logs: Mapping[str, SuiteLog], a_name: str, b_name: str) -> str:
    """``logs``: B's run. The names say what A and B are."""
    parts = [
        HEAD,
        f"<h1>{shown(b_name)} beside {shown(a_name)}</h1>",
        _verdict(compared),
        "<h2>What differs</h2>",
        _differences(compared),
        "<h2>What B came to</h2>",
        *(_suite(log) for log in logs.values()),
        f"<h2>Changed samples ({len(compared.changes)})</h2>",
        *(_change(change, logs[change.suite]) for change in sorted(compared.changes, key=lambda c: (not c.is_worse, c.suite, c.sample))),
    ]
    return "\n".join([*parts, "</body></html>\n"])


def _verdict(compared: Compared) -> str:
    if not compared.is_regression:
        told = '<p class="good">Nothing speaks against B.</p>'
    else:
        rows = "".join(
            f"<li><b>{shown(f.kind)}</b> {shown(f.suite)}{' / ' + shown(f.scorer) if f.scorer else ''}: {shown(f.says)}</li>"
            for f in compared.findings
        )
        told = f'<p class="bad">B may not ship.</p><ul>{rows}</ul>'
    return told + "".join(f'<p class="dim">{shown(note)}</p>' for note in compared.notes)


def _differences(compared: Compared) -> str:
    if not compared.differences:
        return "<p>Nothing was measured in both.</p>"
    head = _row(
        ("suite / scorer", "samples", "customers", "A", "B", "B - A", "95 %", "better", "worse", "p", "p corrected", "detectable"),
        head=True,
    )
    rows = "".join(_difference(name, told, compared.adjusted[name]) for name, told in compared.differences.items())
    return f'<div class="scroll"><table>{head}{rows}</table></div>'


def _difference(name: str, told: Difference, adjusted: float) -> str:
    bounds = "" if told.low is None or told.high is None else f"{told.low:+.3f} … {told.high:+.3f}"
    detectable = "too little varies" if told.detectable is None else f"{told.detectable:.3f}"
    figures = (told.n, told.customers, f"{told.a:.3f}", f"{told.b:.3f}", f"{told.difference:+.3f}", bounds, told.better, told.worse)
    return _row((name, *map(str, figures), f"{told.p:.4f}", f"{adjusted:.4f}", detectable))


def _suite(log: SuiteLog) -> str:
    lines = [f"<h3>{shown(log.suite)}</h3><p>{shown(log.about)}</p>"]
    lines += [f'<p class="dim">{count} samples not run: {shown(why)}</p>' for why, count in log.not_run.items()]
    if log.was_run:
        rows = "".join(_metric(name, metric) for name, metric in metrics_of(log).items() if metric.n)
        head = _row(("scorer", "kind", "n", "value", "not passed"), head=True)
        cost = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in calls_and_tokens(log).items() if value is not None)
        lines.append(f'<div class="scroll"><table>{head}{rows}</table></div><p class="dim">{shown(cost)}</p>')
    return "\n".join(lines)


def _metric(name: str, metric: Metric) -> str:
    kind = f"safety {metric.kind}" if metric.is_safety else str(metric.kind)
    value = ", ".join(f"{label} {n}" for label, n in metric.labels.items()) if metric.kind is Kind.LABEL else f"{metric.value:.3f}"
    return _row((name, kind, str(metric.n), value, ", ".join(metric.failing[:12]) + (" …" if len(metric.failing) > 12 else "")))


def _change(change: Change, log: SuiteLog) -> str:
    entry = next(entry for entry in log.entries if entry.sample.id == change.sample)
    scores = "".join(_row((name, told(a), told(b))) for name, (a, b) in change.scores.items())
    a, b = shown("(the stored baseline keeps scores only)"), shown(change.b or "(not run)")
    if change.a is not None and change.b is not None:
        a, b = side_by_side(change.a, change.b)
    word = '<span class="bad">worse</span>' if change.is_worse else '<span class="good">changed</span>'
    return "\n".join(
        (
            f'<div class="sample"><p>{word} <b>{shown(change.suite)} / {shown(change.sample)}</b> {shown(entry.sample.about)}</p>',
            f"<table>{_row(('scorer', 'A', 'B'), head=True)}{scores}</table>",
            f'<p class="dim">asked</p><pre>{shown(readable(entry.sample.input))}</pre>',
            f'<p class="dim">expected</p><pre>{shown(readable(entry.sample.expected))}</pre><div class="sides">',
            f'<div><p class="dim">A</p><pre>{a}</pre></div>',
            f'<div><p class="dim">B</p><pre>{b}</pre></div></div></div>',
        )
    )


def told(score: Scored) -> str:
    """A score in a word."""
    if isinstance(score, Broken):
        return f"broken: {score.broken}"
    return {True: "pass", False: "fail"}[score] if isinstance(score, bool) else "" if score is None else str(score)


def _row(cells: Iterable[str], *, head: bool = False) -> str:
    tag = "th" if head else "td"
    return "<tr>" + "".join(f"<{tag}>{shown(cell)}</{tag}>" for cell in cells) + "</tr>"
