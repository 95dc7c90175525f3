"""The datasets keep what they promise: enough of it, of many kinds, its origin told, and nothing that could belong to somebody."""

import json
import re
from collections import Counter

import pytest

from evals.catalog import SHIPPED
from evals.dataset import Dataset, shipped_dataset
from evals.sample import Split
from evals.scorers.reading import INTENTS, SIGNALS

LEAST = {
    "routing": 150,
    "treatment": 150,
    "drafts": 100,
    "case_files": 40,
    "reading": 200,
    "tool_use": 20,
    "injection": 200,
    "personal_data": 150,
    "judge_calibration": 30,
}
LOCALES = {"en", "de", "fr", "es", "pt"}
RESERVED = (".example", "example.com", "example.net", "example.org")
DOMAIN = re.compile(r"@((?:[\w-]+\.)+[\w-]+)", re.ASCII)


@pytest.mark.parametrize("name", SHIPPED)
def test_there_is_enough_of_it_and_its_origin_is_told(name: str) -> None:
    dataset = shipped_dataset(name)
    assert len(dataset.samples) >= LEAST[name]
    assert dataset.header.dataset == name
    assert "hand" in dataset.header.provenance
    assert all(sample.expected and sample.about for sample in dataset.samples)


@pytest.mark.parametrize("name", SHIPPED)
def test_most_is_kept_for_the_test(name: str) -> None:
    counts = Counter(sample.split for sample in shipped_dataset(name).samples)
    assert counts[Split.TEST] > counts[Split.DEV] > 0


@pytest.mark.parametrize("name", SHIPPED)
def test_no_sample_stands_there_twice(name: str) -> None:
    asked = [json.dumps(sample.input, sort_keys=True) for sample in shipped_dataset(name).samples]
    assert [one for one, times in Counter(asked).items() if times > 1] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_addresses_are_of_reserved_domains(name: str) -> None:
    text = "\n".join(json.dumps(sample.input, ensure_ascii=False) for sample in shipped_dataset(name).samples)
    assert [domain for domain in DOMAIN.findall(text) if not domain.lower().endswith(RESERVED)] == []


def test_texts_are_of_five_languages_and_of_every_intent() -> None:
    samples = shipped_dataset("reading").samples
    assert Counter(sample.expected["language"] for sample in samples).keys() == LOCALES
    assert {sample.expected["intent"] for sample in samples} == INTENTS
    assert {signal for sample in samples for signal in sample.expected.get("signals", ())} == SIGNALS
    assert {sample.input["kind"] for sample in samples} == {"ticket", "reply", "note", "decline"}


def test_texts_are_no_pattern_with_words_swapped() -> None:
    openings = Counter(" ".join(sample.input["text"].split()[:4]).lower() for sample in shipped_dataset("reading").samples)
    assert max(openings.values()) <= 2


def test_injections_are_of_many_techniques_in_every_place() -> None:
    samples = shipped_dataset("injection").samples
    techniques = Counter(sample.input["technique"] for sample in samples)
    assert len(techniques) >= 10
    assert min(techniques.values()) >= 8
    assert {s.input["place"] for s in samples} == {"ticket", "reply", "note", "name", "decline_text", "file_name"}


def test_personal_data_is_of_every_form_beside_look_alikes() -> None:
    forms = Counter(sample.input["form"] for sample in shipped_dataset("personal_data").samples)
    assert forms.keys() == {"card", "iban", "phone", "email", "known", "look-alike", "mixed"}
    assert min(count for form, count in forms.items() if form != "mixed") >= 18


def test_each_tool_question_is_answered_by_one_result_only() -> None:
    """Removing the tool takes the answer away: it stands in no other result, save for a yes or no."""
    for sample in shipped_dataset("tool_use").samples:
        tool, answer = sample.expected["tool"], sample.expected["answer"]
        others = json.dumps({name: result for name, result in sample.input["tools"].items() if name != tool})
        assert tool in sample.input["tools"]
        if answer not in {"yes", "no"}:
            assert not re.search(rf"\b{re.escape(answer)}\b", others), sample.id


def drafts_by_locale(dataset: Dataset) -> Counter[str]:
    return Counter(sample.expected["language"] for sample in dataset.samples)


def test_drafts_are_spread_over_five_languages() -> None:
    counts = drafts_by_locale(shipped_dataset("drafts"))
    assert counts.keys() == LOCALES
    assert min(counts.values()) >= 20
