"""What the events of every connection must do. Subclass it, give it a ``bench``, and run it: see test_webhook_formats.py."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest

from recoup.errors import Malformed, SignatureRefused
from recoup.events import EventIdentity, Reading
from tools.billing.signatures import TOLERANCE_SECONDS
from tools.billing.webhook import WebhookFormat

SECRET, OLD_SECRET = "whsec_of_the_bench", "whsec_of_last_year"
NOW = 1_770_000_000.0
NO_EVENTS = ("", " ", "null", "true", "0", '""', "[]", "{}", "{", "<", "<a/>", "<a>", "\x00", "\ud800", "[" * 100_000, '{"id":' * 50_000)
JUNK: tuple[Any, ...] = (None, "", "\x00\ud800", "x" * 5000, 0, -1, 10**400, 1.5, float("inf"), True, [], [None], {}, {"id": {}})
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "boom"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'


@dataclass(frozen=True)
class Delivery:
    """One webhook's body, as text, and its media type."""

    payload: str
    content_type: str = "application/json"


@dataclass(frozen=True)
class FormatBench:
    """What a format's author supplies.

    ``events``: different events of every kind and media type that it knows, among them one that is ``unknown`` to it. ``personal``: the
    names and addresses in them. ``livemode``: what they say of money, each; None where a platform does not tell. ``sign``: the header
    for a body, a secret and a wall time in seconds; None where the platform does not sign.
    """

    form: WebhookFormat
    events: tuple[Delivery, ...]
    unknown: Delivery
    livemode: bool | None
    personal: tuple[str, ...] = ()
    sign: Callable[[bytes, str, float], str] | None = None
    # Events in which only some say whether they are live.
    livemode_untold: frozenset[Delivery] = field(default_factory=frozenset[Delivery])

    def read(self, event: Delivery) -> Reading:
        return self.form.read(event.payload, event.content_type)

    def identify(self, event: Delivery) -> EventIdentity:
        return EventIdentity(*self.form.identify(event.payload, event.content_type))


class WebhookFormatContract:
    """The suite. A subclass supplies the fixture ``bench``."""

    def test_reading_is_pure(self, bench: FormatBench) -> None:
        for event in bench.events:
            assert bench.read(event) == bench.read(event)

    def test_a_redelivery_is_the_same_event_and_another_event_is_not(self, bench: FormatBench) -> None:
        ids = [bench.identify(event).vendor_event_id for event in bench.events]
        assert ids == [bench.identify(event).vendor_event_id for event in bench.events]
        assert all(ids)
        assert len(set(ids)) == len(ids)

    def test_identity_and_reading_speak_of_the_same_event(self, bench: FormatBench) -> None:
        for event in bench.events:
            assert bench.identify(event).event_type == bench.read(event).event_type

    def test_a_reading_is_ignored_or_a_pointer_or_snapshots_and_never_two_of_them(self, bench: FormatBench) -> None:
        for event in bench.events:
            reading = bench.read(event)
            tells = any((reading.account, reading.invoice, reading.attempts, reading.credentials))
            points = any((reading.subscription_vendor_id, reading.charge_vendor_id, reading.intent_vendor_id))
            assert [bool(reading.ignored_because), bool(reading.fetch), tells or points].count(True) == 1, reading
            assert reading.occurred_at.tzinfo is not None

    def test_an_unknown_type_is_kept_with_that_reason(self, bench: FormatBench) -> None:
        assert bench.identify(bench.unknown).vendor_event_id
        assert "unknown" in (bench.read(bench.unknown).ignored_because or "")

    def test_it_says_whether_money_is_real(self, bench: FormatBench) -> None:
        for event in bench.events:
            expected = None if event in bench.livemode_untold else bench.livemode
            assert bench.identify(event).livemode is bench.read(event).livemode is expected

    def test_personal_data_is_in_the_account_and_nowhere_else(self, bench: FormatBench) -> None:
        for event in bench.events:
            rest = bench.read(event).model_copy(update={"account": None}).model_dump_json() + repr(bench.identify(event))
            assert [word for word in bench.personal if word in rest] == []

    @pytest.mark.parametrize("payload", [*NO_EVENTS, BOMB], ids=range(len(NO_EVENTS) + 1))
    def test_what_is_no_event_is_malformed(self, bench: FormatBench, payload: str) -> None:
        for content_type in sorted(bench.form.content_types):
            for act in (bench.form.read, bench.form.identify):
                with pytest.raises(Malformed):
                    act(payload, content_type)

    def test_a_body_that_was_cut_off_is_malformed(self, bench: FormatBench) -> None:
        for event in bench.events:
            for length in range(0, len(event.payload) - 1, max(1, len(event.payload) // 20)):
                with pytest.raises(Malformed):
                    bench.form.read(event.payload[:length], event.content_type)

    def test_junk_in_any_place_is_malformed_or_read_and_never_a_crash(self, bench: FormatBench) -> None:
        """Both steps, for each value of each JSON event replaced by each kind of junk."""
        for event in bench.events:
            for broken in _with_junk(event):
                for act in (bench.read, bench.identify):
                    with suppress(Malformed):
                        act(broken)

    def test_a_signature_that_holds_is_believed_and_no_other(self, bench: FormatBench) -> None:
        if bench.sign is None:
            pytest.skip("the platform does not sign")
        body = bench.events[0].payload.encode()
        bench.form.verify(body, bench.sign(body, OLD_SECRET, NOW), (SECRET, OLD_SECRET), NOW)
        good, old = bench.sign(body, SECRET, NOW), bench.sign(body, SECRET, NOW - TOLERANCE_SECONDS - 1)
        for header, why in (
            (None, "missing"),
            ("", "missing"),
            ("nonsense", "wrong"),
            (bench.sign(body + b" ", SECRET, NOW), "wrong"),
            (bench.sign(body, "whsec_of_someone", NOW), "wrong"),
            (good[:-1] + ("0" if good[-1] != "0" else "1"), "wrong"),
            (old, "too old"),
        ):
            with pytest.raises(SignatureRefused) as refused:
                bench.form.verify(body, header, (SECRET, OLD_SECRET), NOW)
            assert refused.value.why == why, header

    def test_without_a_secret_nothing_is_believed(self, bench: FormatBench) -> None:
        if bench.sign is None:
            pytest.skip("the platform does not sign")
        with pytest.raises(SignatureRefused):
            bench.form.verify(b"{}", bench.sign(b"{}", "", NOW), (), NOW)


def _with_junk(event: Delivery) -> Iterator[Delivery]:
    if "json" not in event.content_type:
        return
    document = json.loads(event.payload)
    for path in _paths(document):
        for junk in JUNK:
            broken = deepcopy(document)
            place = broken
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = junk
            yield Delivery(json.dumps(broken), event.content_type)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType]
    for key in keys:
        yield from _paths(value[key], (*path, key))
