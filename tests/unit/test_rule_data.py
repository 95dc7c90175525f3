"""A damaged file of rules is refused when it is read, and what is wrong with it is named."""

from importlib.resources import files

import pytest

from recoup.errors import Defect
from recoup.rule_data import FILES, load_rules, parse_rules

SHIPPED = {f"{name}.toml": files("recoup").joinpath(f"rules/{name}.toml").read_text(encoding="utf-8") for name in FILES}


def test_what_is_shipped_is_what_is_loaded() -> None:
    assert parse_rules(SHIPPED) == load_rules()


DAMAGES = [
    # why, file, what stands there, what stands there instead, what the error names
    ("no TOML", "caps.toml", "[[cap]]", "[[cap]", "recoup/rules/caps.toml is no TOML"),
    ("an unknown key", "caps.toml", "limit = 20", "limit = 20\nlimits = 20", "limits"),
    ("no number", "caps.toml", "limit = 20", 'limit = "many"', "limit"),
    ("no day", "caps.toml", "effective_from = 2025-05-19", 'effective_from = "soon"', "effective_from"),
    ("a source that nobody has", "caps.toml", 'source = "nacha"', 'source = "hearsay"', "ach-entries-180-days: there is no source hearsay"),
    ("one id twice", "caps.toml", 'id = "ach-entries-180-days"', 'id = "india-issued"', "id india-issued is given twice"),
    (
        "a reason without a treatment",
        "stripe.toml",
        'lost_card = "lost_card"',
        'lost_card = "mislaid"',
        "no treatment has the reason mislaid",
    ),
    ("a run that nothing breaks", "caps.toml", 'resets_on = ["success", "update"]\n', "", "card-declines-without-reason: a consecutive"),
    ("a word that is none", "permissions.toml", 'retry = "customer_action"', 'retry = "perhaps"', "retry"),
    (
        "whose code it is, nobody says",
        "permissions.toml",
        'speaker = "visa"\ncodes = ["05"]',
        'codes = ["05"]',
        "visa-category-4: give speaker",
    ),
]


@pytest.mark.parametrize(("why", "file", "old", "new", "named"), DAMAGES, ids=[row[0] for row in DAMAGES])
def test_what_is_wrong_is_named(why: str, file: str, old: str, new: str, named: str) -> None:
    assert old in SHIPPED[file]
    with pytest.raises(Defect) as refused:
        parse_rules(SHIPPED | {file: SHIPPED[file].replace(old, new, 1)})
    assert named in str(refused.value)
