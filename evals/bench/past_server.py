"""A past at Stripe that is made up as it is asked for: ``python -m evals.bench.past_server COUNT`` ends its first line with ``:PORT``.

Three invoices to a customer. Of twenty, sixteen were paid at once, three after a first failure, and one is owed. Whatever is asked for
whole is told whole, as with Stripe's ``expand``, and the documents are as long as real ones.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from evals.bench.payload import SUBJECT_MARK, Json, stripe_failure

DAYS, DAY_SECONDS = 89, 86_400
MADE_MARK, CUSTOMER_MARK, STATE_MARK = "MARKMADE", "MARKCUSTOMER", "MARKSTATE"
INVOICES_OF_CUSTOMER, OF_TWENTY_OWED, OF_TWENTY_LATE = 3, 1, 3
YOUNGEST_SECONDS, TRIED_AFTER_SECONDS, LATE_SECONDS = 600, 60, 3 * DAY_SECONDS
OLD_FIELDS = frozenset({"paid", "payment_intent", "subscription", "tax"})


class Past:
    """``count`` invoices, number 0 the newest."""

    def __init__(self, count: int) -> None:
        self._count, self._now = count, int(time.time())
        event: Json = json.loads(stripe_failure()[0])
        invoice: Json = event["data"]["object"]
        charge: Json = invoice.pop("charge") | {"created": MADE_MARK}
        method: Json = {"id": f"pm_{CUSTOMER_MARK}", "object": "payment_method", "type": "card", "customer": f"cus_{CUSTOMER_MARK}"}
        method |= {"card": charge["payment_method_details"]["card"], "billing_details": charge["billing_details"]}
        paid: Json = {"status": "succeeded", "paid": True, "failure_code": None, "failure_message": None, "outcome": None}
        self._method, self._failed, self._succeeded = json.dumps(method), json.dumps(charge), json.dumps(charge | paid)
        self._alone, self._listed = json.dumps(_whole(invoice, in_list=False)), json.dumps(_whole(invoice, in_list=True))

    def answer(self, path: str, query: Mapping[str, str]) -> str:
        """The JSON of what is asked for."""
        match path.removeprefix("/v1/").split("/"):
            case ["invoices"]:
                begins = _number(query["starting_after"]) + 1 if "starting_after" in query else 0
                ends = min(begins + int(query["limit"]), self._count)
                return _list([self._told(self._listed, number) for number in range(begins, ends)], has_more=ends < self._count)
            case ["invoices", invoice_id]:
                return self._told(self._alone, _number(invoice_id))
            case ["charges"] if "payment_intent" in query:
                return _list([self._charge(*made) for made in reversed(self._tries(_number(query["payment_intent"])))])
            case ["charges"]:
                return self._page(query, self._charge)
            case ["events"]:
                return self._page(query, self._event)
            case ["customers", customer, "payment_methods"]:
                return _list([_filled(self._method, 0, 0, customer.removeprefix("cus_"))])
            case _:
                raise ValueError(f"nobody was expected to ask for {path}")

    def _told(self, template: str, number: int) -> str:
        made, tries = self._made(number), self._tries(number)
        last, is_paid = tries[-1].at, tries[-1].is_paid
        states = {"status": "paid" if is_paid else "open", "amount_paid": 4900 * is_paid, "amount_remaining": 4900 * (not is_paid)}
        text = _filled(template, number, made, _customer(number))
        for name, value in {**states, "paid_at": last if is_paid else None}.items():
            text = text.replace(f'"{name}": "{STATE_MARK}"', f'"{name}": {json.dumps(value)}')
        return text

    def _tries(self, number: int) -> list["Try"]:
        """The charges for an invoice, oldest first."""
        at = self._made(number) + TRIED_AFTER_SECONDS
        if number % 20 < OF_TWENTY_OWED:
            return [Try(number, at, is_paid=False)]
        if number % 20 < OF_TWENTY_OWED + OF_TWENTY_LATE:
            return [Try(number, at, is_paid=False), Try(number, at + LATE_SECONDS, is_paid=True)]
        return [Try(number, at, is_paid=True)]

    def _page(self, query: Mapping[str, str], told: Callable[[int, int, bool], str]) -> str:
        """What was charged in a time, newest first."""
        first, last = int(query["created[gte]"]), int(query["created[lte]"])
        numbers = {*self._made_within(first, last), *self._made_within(first - LATE_SECONDS, last - LATE_SECONDS)}
        tries = sorted((one for number in numbers for one in self._tries(number) if first <= one.at <= last), key=lambda one: -one.at)
        after = query.get("starting_after", "").partition("_")[2]
        begins = [one.name for one in tries].index(after) + 1 if after else 0
        ends = begins + int(query["limit"])
        return _list([told(*one) for one in tries[begins:ends]], has_more=ends < len(tries))

    def _made_within(self, first: int, last: int) -> range:
        """The numbers of invoices made a little before that time, or in it."""
        newest = (self._now - YOUNGEST_SECONDS - last) * self._count // (DAYS * DAY_SECONDS)
        oldest = (self._now - YOUNGEST_SECONDS - first + TRIED_AFTER_SECONDS) * self._count // (DAYS * DAY_SECONDS)
        return range(max(0, newest), min(self._count, oldest + 2))

    def _charge(self, number: int, at: int, is_paid: bool) -> str:
        template = self._succeeded if is_paid else self._failed
        return _filled(template.replace(f"ch_{SUBJECT_MARK}", f"ch_{Try(number, at, is_paid).name}"), number, at, _customer(number))

    def _event(self, number: int, at: int, is_paid: bool) -> str:
        named, outcome = Try(number, at, is_paid).name, "succeeded" if is_paid else "failed"
        told: Json = {"id": f"evt_{named}", "object": "event", "created": at, "type": f"charge.{outcome}", "request": None}
        return json.dumps(told | {"data": {"object": {"id": f"ch_{named}", "object": "charge"}}})

    def _made(self, number: int) -> int:
        return self._now - YOUNGEST_SECONDS - number * DAYS * DAY_SECONDS // self._count


class Try(NamedTuple):
    """One charge."""

    number: int
    at: int
    is_paid: bool

    @property
    def name(self) -> str:
        """What follows the prefix in its id, and in that of its event."""
        return f"{self.number:08d}_{'paid' if self.is_paid else 'failed'}"


def _whole(invoice: Json, *, in_list: bool) -> Json:
    """The invoice in the newest shape, with what can be expanded there."""
    intent: Json = {"id": f"pi_{SUBJECT_MARK}", "object": "payment_intent", "status": "succeeded", "amount": 4900, "currency": "usd"}
    intent |= {"latest_charge": f"ch_{SUBJECT_MARK}_paid", "created": MADE_MARK, "customer": f"cus_{CUSTOMER_MARK}"}
    payment: Json = {"id": f"inpay_{SUBJECT_MARK}", "object": "invoice_payment", "invoice": f"in_{SUBJECT_MARK}", "is_default": True}
    payment |= {"status": "paid", "amount_requested": 4900, "currency": "usd", "created": MADE_MARK}
    payment |= {"payment": {"type": "payment_intent", "payment_intent": intent["id"] if in_list else intent}}
    subscription: Json = {"id": f"sub_{CUSTOMER_MARK}", "object": "subscription", "status": "active", "default_payment_method": None}
    customer: Json = {"id": f"cus_{CUSTOMER_MARK}", "object": "customer", "name": "Alex Example", "preferred_locales": ["en"]}
    customer |= {"email": f"customer.{CUSTOMER_MARK}@customer.example", "address": {"country": "US"}}
    customer |= {"invoice_settings": {"default_payment_method": f"pm_{CUSTOMER_MARK}"}}
    return {name: value for name, value in invoice.items() if name not in OLD_FIELDS} | {
        "customer": customer,
        "parent": {"type": "subscription_details", "subscription_details": {"metadata": {}, "subscription": subscription}},
        "payments": {"object": "list", "data": [payment], "has_more": False, "url": "/v1/invoice_payments"},
        "created": MADE_MARK,
        "effective_at": MADE_MARK,
        "status_transitions": {"finalized_at": MADE_MARK, "paid_at": STATE_MARK},
        **dict.fromkeys(("status", "amount_paid", "amount_remaining"), STATE_MARK),
    }


def _filled(text: str, number: int, made: int, customer: str) -> str:
    text = text.replace(f'"pm_{SUBJECT_MARK}"', f'"pm_{CUSTOMER_MARK}"').replace(f'"fp{SUBJECT_MARK}"', f'"fp{CUSTOMER_MARK}"')
    text = text.replace(f'"cus_{SUBJECT_MARK}"', f'"cus_{CUSTOMER_MARK}"').replace(f'"{MADE_MARK}"', str(made))
    return text.replace(SUBJECT_MARK, f"{number:08d}").replace(CUSTOMER_MARK, customer)


def _customer(number: int) -> str:
    return f"{number // INVOICES_OF_CUSTOMER:08d}"


def _number(named: str) -> int:
    return int(named.split("_")[1])


def _list(items: list[str], *, has_more: bool = False) -> str:
    return f'{{"object": "list", "url": "/v1", "has_more": {json.dumps(has_more)}, "data": [{", ".join(items)}]}}'


async def main(count: int) -> None:
    """Serves until it is ended."""
    past = Past(count)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                asked = urlsplit(head.split(b" ", 2)[1].decode())
                body = past.answer(asked.path, dict(parse_qsl(asked.query))).encode()
                date = formatdate(usegmt=True)
                told = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(told.encode() + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sys.stdout.write(f"listening on :{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
