"""The labelled tickets keep what they promise: every label holds, and a query is not the ticket in the ticket's own words."""

import re
from collections import Counter

from evals.tickets import LabelledTicket, labelled_queries, labelled_tickets
from recoup.personal_data import mask_personal

LOCALES = ("de", "en", "es", "fr", "pt")
LONGEST_SHARED_RUN = 2  # words
SHARED_AT_MOST = 0.1  # of a query's longer words, as a mean


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def whole(ticket: LabelledTicket) -> str:
    return f"{ticket.subject} {ticket.text}"


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    said = words(text)
    return {tuple(said[at : at + length]) for at in range(len(said) - length + 1)}


def test_every_locale_has_as_many_tickets_and_queries_of_both_kinds_and_splits() -> None:
    queries = labelled_queries()
    assert Counter(ticket.locale for ticket in labelled_tickets()) == dict.fromkeys(LOCALES, 22)
    assert Counter((query.locale, query.kind) for query in queries) == {
        (locale, kind): count for locale in LOCALES for kind, count in (("meaning", 22), ("code", 12))
    }
    assert {(query.kind, query.split) for query in queries} == {(kind, split) for kind in ("meaning", "code") for split in ("dev", "test")}
    assert all(one.provenance for one in [*queries, *labelled_tickets()])
    assert len({query.id for query in queries}) == len(queries)


def test_a_code_is_in_every_ticket_that_answers_and_in_no_other() -> None:
    tickets = labelled_tickets()
    for query in (query for query in labelled_queries() if query.kind == "code"):
        [code] = [word for word in query.query.split() if re.search(r"[\d_]", word)]
        holding = {ticket.id for ticket in tickets if re.search(rf"(?<![\w-]){re.escape(code)}(?![\w-])", whole(ticket))}
        assert holding == set(query.relevant), query.id


def test_a_question_of_meaning_is_put_in_other_words() -> None:
    tickets = {ticket.id: whole(ticket) for ticket in labelled_tickets()}
    shares: list[float] = []
    for query in (query for query in labelled_queries() if query.kind == "meaning"):
        [answer] = query.relevant
        shared_runs = runs(query.query, LONGEST_SHARED_RUN + 1) & runs(tickets[answer], LONGEST_SHARED_RUN + 1)
        assert shared_runs == set(), query.id
        longer = {word for word in words(query.query) if len(word) > 3}
        shares.append(len(longer & set(words(tickets[answer]))) / len(longer))
    assert sum(shares) / len(shares) <= SHARED_AT_MOST


def test_masking_takes_nothing_out_of_them() -> None:
    assert [whole(ticket) for ticket in labelled_tickets()] == [mask_personal(whole(ticket)) for ticket in labelled_tickets()]
