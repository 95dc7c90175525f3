"""docs/connect-*.md, followed to their end by a stranger: real processes, a double of the platform, webhooks over HTTP."""

import asyncio
from datetime import timedelta
from pathlib import Path

from recoup.clock import wall_now
from tests.contract.recurly_bench import recurly_bench
from tests.e2e.pages import follow, hand_over, shell
from tests.sandbox_server import free_port
from tests.vendors.chassis import Site
from tests.vendors.recurly import READ_ONLY_KEY
from tests.vendors.stripe_stage import stage
from tools.billing.stripe_changes import TYPES

PORT = "8321"
READY = "curl -fs http://127.0.0.1:{port}/readyz"
NOTED = "bash -c '[ $(recoup shadow report --json | grep -o case_id | wc -l) = {cases} ]'"
ASKED = "bash -c 'recoup approvals list --json | grep apr_'"
# What a restricted key is allowed, as the double calls it.
RESOURCES: tuple[str, ...] = (
    "invoice",
    "charge",
    "payment_intent",
    "customer",
    "payment_method",
    "subscription",
    "dispute",
    "event",
    "webhook",
)
READS: dict[str, str] = dict.fromkeys(RESOURCES, "read")
WRITES = READS | {"invoice": "write", "subscription": "write", "charge": "write"}


def keep_time(double: Site) -> None:
    """The platform's clock is everybody's."""
    double.advance(max(wall_now() - double.clock.now(), timedelta()))


def written_to(double: Site) -> list[str]:
    """What was asked of the platform that was not only reading."""
    return [f"{one.request.method} {one.request.path}" for one in double.exchanges() if one.request.method != "GET"]


def test_stripe_is_watched_as_its_page_says(tmp_path: Path) -> None:
    port = free_port()
    with stage(start=wall_now()) as here:
        double, address = here.double, str(here.client.base_url).rstrip("/")
        key = double.add_key(READS)
        endpoint = double.add_endpoint(f"http://127.0.0.1:{port}/webhooks/stripe-eu", TYPES)
        double.owed_invoice("insufficient_funds")
        double.owed_invoice("ok")
        double.courier.drop()  # it happened before anybody listened

        def written(command: str) -> str:
            secret = "whsec_rolled" if "SECRET_NEXT" in command else endpoint.secrets[0]
            for here, there in (("rk_test_…", key), ("whsec_…", secret), ("/tmp/recoup-stripe", str(tmp_path / "try")), (PORT, str(port))):
                command = command.replace(here, there)
            return command.replace('platform = "stripe"\n', f'platform = "stripe"\napi_base = "{address}"\n')

        def between(command: str) -> None:
            keep_time(double)
            if "recoup serve" in command:
                terminal.wait_for(READY.format(port=port))
            if command.startswith("recoup serve"):
                double.owed_invoice("expired_card")
                assert set(asyncio.run(hand_over(double.courier))) == {202}
                terminal.wait_for(NOTED.format(cases=2))
            if "shadow report" in command:
                assert written_to(double) == []
                double.restrict(key, WRITES)
            if "people answer" in command:
                double.owed_invoice("expired_card")
                assert set(asyncio.run(hand_over(double.courier))) == {202}
                terminal.wait_for(ASKED)
            if "SECRET_NEXT" in command:
                endpoint.secrets.insert(0, "whsec_rolled")
                double.owed_invoice("insufficient_funds")
                assert set(asyncio.run(hand_over(double.courier))) == {202}

        with shell(tmp_path, RECOUP_PORT=str(port)) as terminal:
            follow("connect-stripe.md", terminal, written, between)
        assert [attempt.initiator for attempt in double.ledger()] == ["platform"] * 5
        assert not list((tmp_path / "try/home").glob("mail/new/*"))


def test_recurly_is_watched_as_its_page_says(tmp_path: Path) -> None:
    port = free_port()
    with recurly_bench(start=wall_now()) as here:
        double = here.double
        endpoint = double.send_webhooks_to(f"http://127.0.0.1:{port}/webhooks/recurly", "secret-of-the-endpoint")
        here.owing()
        double.courier.drop()  # it happened before anybody listened

        def written(command: str) -> str:
            secret = "secret-rolled" if "SECRET_NEXT" in command else endpoint.secrets[0]
            puts_in = {"your-private-api-key": READ_ONLY_KEY, "your-webhook-secret": secret, "your-subdomain": double.site.subdomain}
            for before, after in (*puts_in.items(), ("/tmp/recoup-recurly", str(tmp_path / "try")), (PORT, str(port))):
                command = command.replace(before, after)
            return command.replace('platform = "recurly"\n', f'platform = "recurly"\napi_base = "{here.url}"\n')

        def between(command: str) -> None:
            keep_time(double)
            if "recoup serve" in command:
                terminal.wait_for(READY.format(port=port))
            if command.startswith("recoup serve"):
                here.owing()
                assert set(asyncio.run(hand_over(double.courier))) == {202}
                terminal.wait_for(NOTED.format(cases=2))
            if "shadow report" in command:
                assert written_to(double) == []
                double.entrance.keys[READ_ONLY_KEY] = "full"
            if "people answer" in command:
                here.owing()
                assert set(asyncio.run(hand_over(double.courier))) == {202}
                terminal.wait_for(ASKED)
            if "SECRET_NEXT" in command:
                endpoint.secrets.insert(0, "secret-rolled")
                here.owing()
                assert set(asyncio.run(hand_over(double.courier))) == {202}

        with shell(tmp_path, RECOUP_PORT=str(port)) as terminal:
            follow("connect-recurly.md", terminal, written, between)
        assert {attempt.initiator for attempt in double.ledger()} == {"platform"}
        assert not list((tmp_path / "try/home").glob("mail/new/*"))
