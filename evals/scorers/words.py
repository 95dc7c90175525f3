"""Are the words fit for a customer: what they say, what they must not say, in which language, how long and how hard to read?"""

import re

from evals.sample import Sample
from evals.scorers.language import language_of
from evals.solver import Answer

SLOTS = {"first_name", "company", "amount", "invoices", "update_link"}
IN_BRACES = re.compile(r"\{([^{}]*)\}")
LINK = re.compile(r"https?:|www\.|\b[\w-]+\.(?:com|net|org|io|app|de|fr|es|pt|eu|example|test)\b", re.IGNORECASE)
AMOUNT = re.compile(r"\d|[$€£¥₹]|\b(?:dollars?|euros?|pounds?|usd|eur|gbp)\b", re.IGNORECASE)
# What accuses, threatens, or tells what only the bank may tell; in each of the five languages.
FORBIDDEN = re.compile(
    r"\b(?:fraud\w*|stolen|theft|lost card|suspicious|blacklist\w*|criminal\w*|police|prosecut\w*|lawyers?|attorneys?|lawsuits?|sued?|court"
    r"|legal action|bailiffs?|debt collect\w*|collection agenc\w*|credit (?:score|bureau|report)|insufficient funds|declined"
    r"|betrug\w*|betrüg\w*|gestohlen\w*|diebstahl|verdächtig\w*|straf\w*|polizei|anwalt\w*|anwält\w*|gericht\w*|klage\w*|inkasso\w*|schufa"
    r"|mahnbescheid|gerichtsvollzieher|mangelnde\w* deckung|abgelehnt"
    r"|fraude\w*|frauduleu\w*|volée?s?|suspecte?s?|soupçon\w*|pénal\w*|avocats?|tribuna\w*|huissiers?|recouvrement|poursuites?"
    r"|provision insuffisante|solde insuffisant|refusée?s?"
    r"|fraudulent\w*|robad[ao]s?|robo|sospechos\w*|delito\w*|policía|abogad\w*|demandas?|juzgado|embargo\w*|morosos?|fondos insuficientes"
    r"|rechazad[ao]s?"
    r"|roubad[ao]s?|suspeit[ao]s?|crime|polícia|advogad\w*|processo judicial|penhora|cobrança judicial|saldo insuficiente|recusad[ao]s?)\b",
    re.IGNORECASE,
)
SUBJECT_CHARS, BODY_CHARS = range(8, 121), range(60, 1501)
LONG_WORD_CHARS = 7
EASY, HARD = 45.0, 75.0

# Words that show what a message asks for. Any of them will do.
ASKS: dict[str, dict[str, str]] = {
    "update": {
        "en": r"update|new (?:payment )?details|up to date",
        "de": r"aktualisier|neue? (?:zahlungs)?daten|hinterleg",
        "fr": r"mettre à jour|mettez à jour|actualis",
        "es": r"actuali[cz]",
        "pt": r"atuali[zs]",
    },
    "confirm": {
        "en": r"confirm",
        "de": r"bestätig|freigeben|freigabe",
        "fr": r"confirm|valid",
        "es": r"confirm|autori[cz]",
        "pt": r"confirm|autori[zs]",
    },
    "other_method": {
        "en": r"another (?:payment )?method|other (?:payment )?method",
        "de": r"ander\w+ zahlung",
        "fr": r"autre (?:moyen|mode)",
        "es": r"otr[ao] (?:método|forma|medio)",
        "pt": r"outr[ao] (?:método|forma|meio)",
    },
    "wait": {
        "en": r"try (?:\w+ ){0,4}again|tried again|pay (?:now|here)",
        "de": r"erneut|noch einmal|nochmals|jetzt (?:be)?zahlen|hier (?:be)?zahlen",
        "fr": r"nouveau|nouvelle tentative|régler|payer",
        "es": r"de nuevo|otra vez|nuevo intento|pagar",
        "pt": r"novamente|nova tentativa|outra vez|pagar",
    },
    "answer": {
        "en": r"answer this|reply|check the payment method",
        "de": r"antworte|prüfe",
        "fr": r"répond|vérifi",
        "es": r"respond|compruebe|comprueba|revis",
        "pt": r"respond|verifi",
    },
}
LAST: dict[str, str] = {"en": r"last reminder|final", "de": r"letzte", "fr": r"derni", "es": r"último|última", "pt": r"últim[ao]"}


def holds_known_slots_only(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """A brace that is no slot would reach the customer as it stands."""
    text = _text(answer)
    rest = IN_BRACES.sub("", text)
    return set(IN_BRACES.findall(text)) <= SLOTS and "{" not in rest and "}" not in rest


def holds_the_needed_slots(sample: Sample, answer: Answer) -> bool | None:
    """What the brief asks for: the amount, the link, the list."""
    return set(sample.expected["slots"]) <= set(IN_BRACES.findall(_text(answer))) if "slots" in sample.expected else None


def holds_no_slot_ruled_out(sample: Sample, answer: Answer) -> bool | None:
    """No link where there is none to give."""
    return not set(sample.expected["no_slots"]) & set(IN_BRACES.findall(_text(answer))) if "no_slots" in sample.expected else None


def has_no_forbidden_word(sample: Sample, answer: Answer) -> bool:
    """In any language, whichever it should be in, and none that the brief itself rules out."""
    text = _text(answer)
    own = any(re.search(rf"\b{re.escape(word)}", text, re.IGNORECASE) for word in sample.expected.get("not_said", ()))
    return not FORBIDDEN.search(text) and not own


def writes_no_amount_and_no_link(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """Both come from slots only."""
    bare = IN_BRACES.sub("", _text(answer))
    return not AMOUNT.search(bare) and not LINK.search(bare)


def is_in_the_language(sample: Sample, answer: Answer) -> bool:
    """The customer's own."""
    return language_of(_text(answer)) == sample.expected["language"]


def has_a_fit_length(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """Subject and body."""
    return len(answer.value["subject"]) in SUBJECT_CHARS and len(answer.value["body"]) in BODY_CHARS


def reads_easily(sample: Sample, answer: Answer) -> float:  # noqa: ARG001 - a scorer's signature
    """1 for what everybody reads at once, 0 for what only lawyers write: Björnsson's LIX, which holds in every European language."""
    text = IN_BRACES.sub("x", answer.value["body"])
    words = re.findall(r"[^\W\d_]+", text)
    if not words:
        return 0.0
    sentences = max(1, len(re.findall(r"[.!?:]+(?:\s|$)", text)))
    lix = len(words) / sentences + 100 * sum(len(word) >= LONG_WORD_CHARS for word in words) / len(words)
    return min(1.0, max(0.0, (HARD - lix) / (HARD - EASY)))


def asks_for_the_right_thing(sample: Sample, answer: Answer) -> bool | None:
    """What would mend it: new details, a confirmation, another method, patience or an answer. In whatever language it is."""
    if "asks" not in sample.expected:
        return None
    return any(re.search(words, _text(answer), re.IGNORECASE) for words in ASKS[sample.expected["asks"]].values())


def says_that_it_is_the_last(sample: Sample, answer: Answer) -> bool | None:
    """A last reminder says so, and no other does."""
    if "is_last" not in sample.expected:
        return None
    says = any(re.search(words, _text(answer), re.IGNORECASE) for words in LAST.values())
    return says == sample.expected["is_last"]


def language(sample: Sample, answer: Answer) -> str:  # noqa: ARG001 - a scorer's signature
    """Which one it is in."""
    return language_of(_text(answer)) or "unclear"


def _text(answer: Answer) -> str:
    return f"{answer.value['subject']}\n{answer.value['body']}"
