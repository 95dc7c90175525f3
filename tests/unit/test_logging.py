"""A log line is one JSON object that holds neither secrets nor personal data."""

import json
import logging

from graph.logging import JsonFormatter


def line(message: str, *args: object, **extra: object) -> dict[str, object]:
    record = logging.getLogger("t").makeRecord("t", logging.WARNING, __file__, 1, message, args, None, extra=extra)
    return json.loads(JsonFormatter().format(record))


def test_message_and_extras_are_fields() -> None:
    said = line("decided %s", "case_1", seconds=1.5)
    assert (said["level"], said["logger"], said["message"], said["seconds"]) == ("warning", "t", "decided case_1", 1.5)


def test_secrets_and_personal_data_are_redacted_wherever_they_stand() -> None:
    said = json.dumps(line("mail to %s", "ada@customer.example", url="postgresql://u:hunter22@h/db", card="4242 4242 4242 4242"))
    for secret in ("ada@", "hunter22", "4242 4242 4242"):
        assert secret not in said


def test_a_traceback_is_redacted_too() -> None:
    try:
        raise ValueError("key sk_live_abcdefgh1234")  # noqa: TRY301 - a traceback is what this is about
    except ValueError as exc:
        record = logging.getLogger("t").makeRecord("t", logging.ERROR, __file__, 1, "failed", (), (type(exc), exc, exc.__traceback__))
    said = JsonFormatter().format(record)
    assert "Traceback" in said
    assert "sk_live_abcdefgh1234" not in said
