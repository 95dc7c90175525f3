"""The report of a world counts what it claims to count, and says which published bands hold."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evals.world_pictures import write_world_report
from evals.world_report import Band, Probe, WorldFindings, day_of, probe, world_findings
from recoup.errors import Defect
from tests.outcomes import lost, outcome
from tools.sandbox.world import home


def band(found: WorldFindings, name: str) -> Band:
    return next(one for one in found.bands if one.name.startswith(name))


def test_figures_are_those_that_one_counts_by_hand() -> None:
    probes = [
        Probe(outcome("a", days=1.0), first_retry=True, on_new_method=False, oracle_likely=1.0),
        Probe(outcome("b", days=0.5, category="new_data"), first_retry=None, on_new_method=True, oracle_likely=0.5),
        Probe(outcome("c", days=20.0, by_retry=False), first_retry=False, on_new_method=False, oracle_likely=0.5),
        Probe(lost("d", category="generic", breaches=2), first_retry=False, on_new_method=False, oracle_likely=0.0),
    ]
    found = world_findings("made up", probes)
    assert band(found, "first retry").value == pytest.approx(1 / 3)
    assert band(found, "first retry").holds
    assert band(found, "recovered by").value == 0.75
    assert band(found, "retries' share").value == pytest.approx(1 / 3)
    assert band(found, "recoveries between").value == pytest.approx(1 / 3)
    assert band(found, "first declines: no reason").value == 0.25
    assert band(found, "attempts against").value == pytest.approx(2 / 7)
    assert not band(found, "attempts against").holds
    assert found.oracle_rate == 0.5
    assert [day_of(one.outcome) for one in probes] == [2, 1, 21, 0]


def test_each_seed_is_counted_alone_too() -> None:
    one = Probe(outcome("a"), first_retry=True, on_new_method=False, oracle_likely=1.0)
    found = world_findings("made up", [one, replace(one, outcome=lost("b", seed=2))])
    assert band(found, "recovered by").by_seed == {1: 1.0, 2: 0.0}
    assert band(found, "retries' share").by_seed == {1: 1.0, 2: None}


def test_a_world_without_probes_is_not_judged() -> None:
    with pytest.raises(Defect, match="no probes"):
        world_findings("made up", [])


def test_a_world_is_probed_and_its_report_written(tmp_path: Path) -> None:
    probes = probe(home(), 60, (1, 2))
    found = world_findings("<home>", probes)
    assert (found.cases, found.seeds) == (120, (1, 2))
    assert any(one.on_new_method for one in probes)
    assert any(one.first_retry for one in probes)
    page = write_world_report(tmp_path / "out", found, probes).read_text(encoding="utf-8")
    assert "<home>" not in page
    assert page.count("data:image/png") == 3
    assert "bands" in page
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "world.html",
        "world.json",
        "bands.png",
        "recoveries_by_day.png",
        "first_retry.png",
    }
    told = json.loads((tmp_path / "out" / "world.json").read_text(encoding="utf-8"))
    assert told["holds"] == all(one.holds for one in found.bands)
    assert len(told["bands"]) == len(found.bands)
