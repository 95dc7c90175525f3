"""``recoup sandbox``: the simulated billing platform as a process of its own."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import click

DEFAULT_API_KEY, DEFAULT_WEBHOOK_SECRET = "sk_sandbox", "whsec_sandbox"
Folder = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8420, show_default=True, help="Port to listen on.")
@click.option("--home", type=Folder, required=True, help="Folder of its database; started again on it, it goes on where it stood.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same people and the same outcomes.")
@click.option("--cases", type=click.IntRange(1, 100_000), default=60, show_default=True, help="Invoices whose first charge fails.")
@click.option("--days", type=click.FloatRange(1, 366), default=30, show_default=True, help="How long the simulation is meant to run.")
@click.option("--webhook-url", help="Where webhooks go, such as http://127.0.0.1:8400/webhooks/sandbox. Default: nowhere.")
@click.option(
    "--key-valid-seconds", type=click.FloatRange(min=0), default=86_400, show_default=True, help="How long idempotency keys live."
)
@click.option("--latency-ms", type=click.FloatRange(min=0), default=0, show_default=True, help="Simulated time per request of a client.")
@click.option(
    "--fault-share", type=click.FloatRange(0, 1), default=0, show_default=True, help="Share of effects that fail or lose their answer."
)
@click.option("--late-share", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share of webhooks that come late.")
@click.option("--twice-share", type=click.FloatRange(0, 1), default=0.2, show_default=True, help="Share of webhooks that come twice.")
@click.option(
    "--shuffled-share", type=click.FloatRange(0, 1), default=0.2, show_default=True, help="Share of webhooks that come out of order."
)
def sandbox(
    *,
    host: str,
    port: int,
    home: Path,
    seed: int,
    cases: int,
    days: float,
    webhook_url: str | None,
    key_valid_seconds: float,
    latency_ms: float,
    fault_share: float,
    late_share: float,
    twice_share: float,
    shuffled_share: float,
) -> None:
    """Run the simulated billing platform.

    RECOUP_SANDBOX_API_KEY is the key that its clients must send, RECOUP_SANDBOX_WEBHOOK_SECRET the secret that its webhooks are signed
    with. Its clock stands still until POST /control/advance moves it.
    """
    # Loaded here, since `recoup --help` should not wait for a web framework.
    import uvicorn

    from tools.sandbox.server import Options, create_sandbox
    from tools.sandbox.simulation import Channel

    if webhook_url is not None and urlsplit(webhook_url).scheme not in {"http", "https"}:
        raise click.BadParameter("must be an http or https address", param_hint="--webhook-url")
    options = Options(
        home=home,
        api_key=os.environ.get("RECOUP_SANDBOX_API_KEY", DEFAULT_API_KEY),
        webhook_secret=os.environ.get("RECOUP_SANDBOX_WEBHOOK_SECRET", DEFAULT_WEBHOOK_SECRET),
        webhook_url=webhook_url,
        seed=seed,
        cases=cases,
        days=days,
        key_valid_seconds=key_valid_seconds,
        latency_ms=latency_ms,
        fault_share=fault_share,
        channel=Channel(late_share=late_share, twice_share=twice_share, shuffled_share=shuffled_share),
    )
    uvicorn.run(create_sandbox(options), host=host, port=port, log_level="warning")
