"""The parts of the search for tickets: pieces, words, and the order of what was found."""

from hypothesis import given
from hypothesis import strategies as st

from memory.ticket_chunks import HEADING_CHARS, chunks
from memory.ticket_keywords import KeywordIndex, words
from memory.ticket_ranking import WEIGHTS, Hit, fused, recency
from tests.tickets import ADA, BO


@given(st.text(max_size=200), st.text(min_size=1, max_size=2000), st.integers(20, 300))
def test_nothing_is_lost_between_pieces_and_none_is_too_long(subject: str, text: str, size: int) -> None:
    pieces = chunks(subject, text, size)
    rest = "".join(pieces)
    for char in "".join(text.split()):  # overlaps repeat, but the order stays
        assert char in rest
        rest = rest[rest.index(char) + 1 :]
    assert all(len(piece) <= size + HEADING_CHARS + 1 for piece in pieces)


def test_pieces_overlap_by_a_sentence_and_carry_the_subject() -> None:
    assert chunks("Late", "One one one. Two two. Three. A longer one.", 22) == [
        "Late\nOne one one. Two two.",
        "Late\nTwo two. Three.",
        "Late\nThree. A longer one.",
    ]


def test_codes_are_words_whole_and_in_parts_and_plain_words_lose_case_accents_and_endings() -> None:
    assert words("INV-2026-0081") == ["inv-2026-0081", "inv", "2026", "0081"]
    assert words("lost_card R01") == ["lost_card", "lost", "card", "r01"]
    assert words("Überweisungen PRÉLÈVEMENT") == ["uberwe", "prelev"]


def index(**texts: str) -> KeywordIndex:
    filled = KeywordIndex()
    for name, text in texts.items():
        filled.put(name, ADA if name.startswith("ada") else BO, text)
    return filled


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    filled = index(ada1="the card was refused", ada2="the card got R01", bo1="the card is new", bo2="the card again")
    found = filled.search("the card R01", lambda _: True, 10)
    assert found[0][0] == "ada2"
    assert found[0][1] > 2 * found[1][1]
    assert filled.knows_code("what about r01?")
    assert not filled.knows_code("what about R02, or 2 cards?")


def test_only_allowed_owners_are_found_and_the_removed_and_replaced_are_not() -> None:
    filled = index(ada1="lost_card", bo1="lost_card", bo2="lost_card")
    assert [id_ for id_, _ in filled.search("lost_card", lambda owner: owner == BO, 10)] == ["bo1", "bo2"]
    filled.remove("bo1")
    filled.put("bo2", BO, "R01")
    assert [id_ for id_, _ in filled.search("lost_card", lambda _: True, 10)] == ["ada1"]
    assert len(filled) == 2


def test_an_empty_index_and_a_query_without_words_find_nothing() -> None:
    assert KeywordIndex().search("anything", lambda _: True, 5) == []
    assert index(ada1="text").search("?!", lambda _: True, 5) == []
    assert index(ada1="text").search("text", lambda _: False, 5) == []


def test_what_both_searches_found_goes_before_what_one_found() -> None:
    dense = [Hit("a", 0.9), Hit("b", 0.85), Hit("c", 0.2)]
    keywords = [Hit("b", 7.0), Hit("d", 6.9), Hit("e", 1.0)]
    ranked = [hit.chunk_id for hit in fused(dense, keywords, dict.fromkeys("abcde", 0.0), 0.5, WEIGHTS)]
    assert ranked[0] == "b"
    assert set(ranked) == set("abcde")


def test_of_two_that_fit_alike_the_newer_is_first_but_age_does_not_undo_a_better_fit() -> None:
    hits = [Hit("old", 0.9), Hit("new", 0.9), Hit("weak", 0.5)]
    ranked = fused(hits, [], {"old": 700.0, "new": 1.0, "weak": 0.0}, 1.0, WEIGHTS)
    assert [hit.chunk_id for hit in ranked] == ["new", "old", "weak"]
    assert recency(0.0) == 1.0
    assert recency(1e6) == WEIGHTS.floor
