"""A model's draft is held against everything that a customer may never be sent, in five languages; what is fit passes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.drafting import tidied
from agents.wording import problem_with_draft
from agents.wording_lists import language_of, languages, spoken_in
from recoup.drafts import Draft
from tests.drafts import GOOD


def problem(language: str = "en", *, has_link: bool = True, add: str = "", **changes: str) -> str | None:
    """What is wrong with the language's good draft after a sentence was added to its body, or a part of it changed."""
    good = GOOD[language]
    changed = good.model_copy(update={"body": f"{good.body}\n{add}", **changes})
    return problem_with_draft(tidied(changed), language, has_link=has_link)


@pytest.mark.parametrize("language", GOOD)
def test_a_good_draft_passes_in_its_own_language_and_in_no_other(language: str) -> None:
    assert problem(language) is None
    for other in GOOD.keys() - {language}:
        assert "not in the language" in (problem_with_draft(GOOD[language], other, has_link=True) or "")


def test_there_is_a_good_draft_for_every_language_that_a_model_may_write() -> None:
    assert set(GOOD) == set(languages())


THREATS = {
    "en": ["We suspect fraud.", "Or we will take legal action.", "Our lawyers will write.", "Your bank declined it.", "You are a debtor."],
    "de": [
        "Sonst gehen wir vor Gericht.",
        "Wir schalten ein Inkassobüro ein.",
        "Ihre Schufa-Auskunft leidet.",
        "Es besteht Betrugsverdacht.",
    ],
    "fr": [
        "Sinon nous saisirons la justice.",
        "Un huissier viendra.",
        "Provision insuffisante.",
        "Nous suspectons une fraude.",
        "Carte volée.",
    ],
    "es": ["Si no, iremos a juicio.", "Nuestros abogados le escribirán.", "Fondos insuficientes.", "Su tarjeta figura como robada."],
    "pt": [
        "Caso contrário, iremos à justiça.",
        "Seu nome irá para o Serasa.",
        "Fundos insuficientes.",
        "Cartão roubado.",
        "Um protesto em cartório.",
    ],
}
PROMISES = {
    "en": ["You get a discount.", "We offer you a payment plan.", "The next month is for free.", "We waive the fee."],
    "de": ["Sie bekommen einen Rabatt.", "Sie können in Raten zahlen.", "Der nächste Monat ist kostenlos.", "Eine Gutschrift folgt."],
    "fr": ["Nous vous accordons une remise.", "Vous serez remboursé.", "Le mois prochain est gratuit."],
    "es": ["Le hacemos un descuento.", "Puede pagar a plazos.", "El próximo mes es gratis."],
    "pt": ["Você ganha um desconto.", "Pode pagar em parcelas.", "O próximo mês é grátis."],
}


@pytest.mark.parametrize(("language", "sentence"), [(code, sentence) for code, many in THREATS.items() for sentence in many])
def test_accusations_threats_and_the_banks_reasons_are_never_sent(language: str, sentence: str) -> None:
    assert "never written to a customer" in (problem(language, add=sentence) or "")
    assert "never written to a customer" in (problem(language, sms=f"{GOOD[language].sms} {sentence}") or "")


@pytest.mark.parametrize(("language", "sentence"), [(code, sentence) for code, many in PROMISES.items() for sentence in many])
def test_what_nobody_has_agreed_to_is_not_promised(language: str, sentence: str) -> None:
    assert "nobody has agreed to" in (problem(language, add=sentence) or "")


UNFIT = {
    "an English threat in a German mail": ("de", "We will take legal action.", "never written"),
    "a literal amount": ("en", "Please pay 49.00 now.", "number or currency"),
    "an amount in other digits": ("en", "Please pay ٤٩ now.", "number or currency"),
    "a currency sign": ("en", "Please pay € now.", "number or currency"),
    "a currency by name": ("en", "Please pay fifty dollars now.", "number or currency"),
    "a link": ("en", "See https://pay.evil.example/x now.", "a link"),
    "a bare host": ("en", "See evil.example now.", "a link"),
    "a mail address": ("en", "Write to help@evil now.", "a link"),
    "a host with a full-width dot": ("en", "See evil．com now.", "only looks like"),
    "a host with an ideographic full stop": ("en", "See evil。com now.", "markup"),
    "full-width letters": ("en", "See ｅｖｉｌ now.", "only looks like"),
    "a Cyrillic letter in a word": ("en", "This is frаud.", "another script"),
    "a zero-width space in a word": ("en", "This is fra\u200bud.", "invisible"),
    "a text direction mark": ("en", "This is \u202egnihtemos.", "invisible"),
    "a control character": ("en", "This is \x1b[2J it.", "invisible"),
    "letters with marks piled on them": ("en", "This is f\u0336r\u0336a\u0336u\u0336d.", "invisible"),
    "emoji tags": ("en", "Thanks \U000e0041\U000e0042.", "invisible"),
    "a markdown link": ("en", "Please [click](here).", "markup"),
    "a tag": ("en", "Please <b>pay</b>.", "markup"),
    "a slot that there is not": ("en", "Dear {full_name}, please.", "no slot full_name"),
    "a slot that is left open": ("en", "Dear {first, please.", "brace"),
    "shouting": ("en", "PLEASE do it URGENTLY now.", "shout"),
    "exclamation": ("en", "Please! Now! Do it!", "shout"),
    "giant": ("en", "Please have a look at it. " * 100, "too short or too long"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_tricks_and_literals_are_refused(name: str) -> None:
    language, sentence, why = UNFIT[name]
    found = problem(language, add=sentence) or ""
    assert any(part in found for part in why.split("|")), found


def test_a_draft_must_lead_to_the_payment_page_where_there_is_one_and_to_none_where_there_is_none() -> None:
    assert "update_link is missing" in (problem(body=GOOD["en"].body.replace("{update_link}", "below")) or "")
    assert "update_link is missing" in (problem(sms="{company}: please look after your subscription.") or "")
    assert "no payment page" in (problem(has_link=False) or "")


def test_a_message_lists_what_is_open_and_says_who_writes() -> None:
    assert "invoices is missing" in (problem(body=GOOD["en"].body.replace("{invoices}", "")) or "")
    assert "company is missing" in (problem(subject="Your payment", body=GOOD["en"].body.replace("{company}", "us")) or "")


def test_a_text_message_names_no_debt() -> None:
    assert "no slot amount" in (problem(sms="{company}: you owe {amount}, see {update_link}") or "")
    assert "more than one line" in (problem(sms="{company}: please look.\n{update_link}") or "")


def test_plain_typography_is_made_of_spaces_that_do_not_break() -> None:
    good = GOOD["fr"]
    nice = good.model_copy(
        update={"subject": good.subject.replace(" ", "\u00a0"), "body": good.body.replace(" :", "\u202f:") + "À bientôt\u2026"}
    )
    assert problem_with_draft(nice, "fr", has_link=True)
    assert problem_with_draft(tidied(nice), "fr", has_link=True) is None


@pytest.mark.parametrize(
    ("locale", "language"), [("de-AT", "de"), ("pt_BR", "pt"), ("EN", "en"), ("nl-NL", None), ("", None), ("den", None)]
)
def test_the_language_of_a_locale_is_known_where_there_are_lists_for_it(locale: str, language: str | None) -> None:
    assert language_of(locale) == language


def test_no_words_speak_no_language() -> None:
    assert set(spoken_in("{company} 123").values()) == {0}


def test_a_draft_of_slots_alone_is_in_no_language() -> None:
    bare = Draft(subject="{company} {company}", body="{company}\n{invoices}\n{update_link}\n" * 3, sms="{company} {update_link} now")
    assert "not in the language" in (problem_with_draft(bare, "en", has_link=True) or "")


@given(st.text(max_size=300), st.text(max_size=200), st.sampled_from(sorted(GOOD)))
def test_whatever_a_model_writes_is_judged_and_nothing_with_a_link_or_an_amount_passes(text: str, subject: str, language: str) -> None:
    good = GOOD[language]
    draft = tidied(good.model_copy(update={"subject": (good.subject + subject)[:200], "body": good.body + text}))
    if problem_with_draft(draft, language, has_link=True) is None:
        plain = re.sub(r"\{[a-z_]+\}", "", draft.subject + draft.body)
        assert not re.search(r"\d|@|https?:|[$€£<>]", plain)
