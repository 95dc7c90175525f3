"""The report of a backtest stands alone, says in words what was found, and says plainly what was not."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evals.backtest.figures import RECOUP, Comparison
from evals.backtest.outcome import CaseOutcome
from evals.backtest.played import Played, played
from evals.backtest.report import write_report
from evals.backtest.statistics import compare
from evals.backtest.wording import headline, supporting
from tests.outcomes import STRENGTHS, bounds_of, lost, outcome, outcomes_of

PNG = b"\x89PNG\r\n\x1a\n"
PICTURES = {"lift", "recovery_by_day", "recovery_by_category", "attempts_and_recovery", "net_per_case", "calibration"}


@pytest.fixture(scope="module")
def policies() -> dict[str, Played]:
    return {name: played(outcomes_of(name)) for name in STRENGTHS}


@pytest.fixture(scope="module")
def found(policies: dict[str, Played]) -> Comparison:
    training = {name: played(outcomes_of(name, seeds=(9,))) for name in STRENGTHS}
    return compare("my_package:<world>", policies, bounds_of(), training, resamples=200)


class _Strict(HTMLParser):
    """Tags that are opened are closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def pair(ours: list[CaseOutcome], theirs: list[CaseOutcome]) -> Comparison:
    return compare("home", {RECOUP: played(ours), "by-code": played(theirs)}, resamples=200)


def test_the_folder_holds_one_page_that_stands_alone_its_pictures_and_the_figures(tmp_path: Path, found: Comparison) -> None:
    page = write_report(tmp_path / "new" / "folder", found).read_text(encoding="utf-8")
    parser = _Strict()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"(?:src|href)=\"(?!data:)|https?://|<script", page)
    assert page.count("data:image/png;base64,") == len(PICTURES)
    written = {path.stem for path in (tmp_path / "new" / "folder").glob("*.png") if path.read_bytes().startswith(PNG)}
    assert written == PICTURES
    assert json.loads((tmp_path / "new" / "folder" / "result.json").read_text(encoding="utf-8")) == found.as_json()


def test_the_page_begins_with_what_was_found_and_says_that_it_is_simulated(tmp_path: Path, found: Comparison) -> None:
    page = write_report(tmp_path, found).read_text(encoding="utf-8")
    places = [
        page.index(words) for words in ("Recoup brought in", "Simulated.", "What was compared", "In pictures", "is defined", "not say")
    ]
    assert places == sorted(places)
    assert "my_package:&lt;world&gt;" in page
    assert "picked by its net value on training seeds" in page
    assert all(f"<td>{name}</td>" in page for name in STRENGTHS)
    assert "$" in page


def test_the_headline_says_more_less_or_no_difference() -> None:
    ours, theirs = outcomes_of(RECOUP), outcomes_of("kill-bill-8-8-8")
    assert re.search(r"brought in \d+\.\d% more net value than by-code.*between \d+\.\d% and \d+\.\d% more\.", headline(pair(ours, theirs)))
    assert re.search(r"brought in \d+\.\d% less net value than by-code.*between \d+\.\d% and \d+\.\d% less\.", headline(pair(theirs, ours)))
    assert "no difference between Recoup and by-code" in headline(pair(ours, ours))
    assert "nothing can be said" in headline(pair([lost("a")], [lost("a")]))
    assert "Recoup was not among the policies" in headline(compare("home", {"by-code": played([outcome("a")])}))
    assert "so few accounts cannot tell" in headline(pair([outcome("a")], [outcome("a")]))


def test_breaches_of_network_rules_are_not_passed_over() -> None:
    found = pair([outcome("a", breaches=3)], [outcome("a")])
    assert "Attempts that broke a network's rule, by an independent checker: recoup: 3." in supporting(found)
    assert "No attempt of any policy broke a network's rule, by an independent checker." in supporting(pair([outcome("a")], [outcome("a")]))


@pytest.mark.parametrize("names", [{RECOUP}, {"never"}, {RECOUP, "never"}, {"by-code", "polar-2-5-7-7"}])
def test_a_report_of_few_policies_is_still_a_report(tmp_path: Path, policies: dict[str, Played], names: set[str]) -> None:
    some = {name: one for name, one in policies.items() if name in names}
    page = write_report(tmp_path, compare("home", some, resamples=50), "JPY").read_text(encoding="utf-8")
    assert "nothing can be said" in page
    assert "¥" in page


def test_where_nobody_recovered_anything_the_report_is_still_drawn(tmp_path: Path) -> None:
    nobody = {name: played([lost("a"), lost("b")]) for name in (RECOUP, "by-code")}
    assert write_report(tmp_path, compare("home", nobody, resamples=50)).exists()
