"""``recoup serve``: the HTTP API and, unless told otherwise, a worker in the same process."""

import asyncio
import gc
import socket
from collections.abc import Generator
from contextlib import contextmanager

import click
import uvicorn

from recoup.errors import Misconfigured
from recoup.settings import Settings

SHUTDOWN_SECONDS = 10
BACKLOG = 2048


class Server(uvicorn.Server):
    """uvicorn that says where it listens and leaves signals to us: its own handlers would end the process while a worker still works."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Binds, then tells the address, so that ``--port 0`` can be used."""
        await super().startup(sockets)
        for server in self.servers if self.started else ():
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                click.echo(f"Recoup listens on http://{f'[{host}]' if ':' in host else host}:{port}")


@click.command()
@click.option("--host", help="Address to listen on. Default: RECOUP_HOST, else 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one. Default: RECOUP_PORT, else 8321.")
@click.option("--worker/--no-worker", "with_worker", default=True, help="Also do the work, in this process (the default).")
def command(host: str | None, port: int | None, *, with_worker: bool) -> None:
    """Run the HTTP API and a worker until SIGTERM or Ctrl-C.

    Without RECOUP_DATABASE_URL it runs on a PostgreSQL of its own under RECOUP_HOME.
    """
    from api.cli.running import run_until_stopped

    async def serve(settings: Settings, stop: asyncio.Event) -> None:
        address = (host or settings.host, settings.port if port is None else port)
        await run_server(settings, stop, address, with_worker=with_worker)

    run_until_stopped(serve)


async def run_server(settings: Settings, stop: asyncio.Event, address: tuple[str, int], *, with_worker: bool) -> None:
    """Opens everything and serves until ``stop``; whichever of API and worker fails takes the other down with it."""
    from api.app import create_app
    from api.worker import run_worker
    from graph.bootstrap import open_services

    with _listen(*address) as listener:
        async with open_services(settings) as services:
            app = create_app(services)
            # What is loaded by now stays. A collection that looks through all of it stops every request for its time.
            gc.collect()
            gc.freeze()
            config = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_serve_http(Server(config), listener, stop))
                if with_worker:
                    tasks.create_task(run_worker(services, stop))


def _listen(host: str, port: int) -> socket.socket:
    # Before anything else is opened: a second service on the same port should fail at once and say why.
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG)
    except OSError as exc:
        raise Misconfigured(f"cannot listen on {host}:{port} ({exc.strerror}); choose another with --host and --port") from exc


async def _serve_http(server: Server, listener: socket.socket, stop: asyncio.Event) -> None:
    serving = asyncio.create_task(server.serve([listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    stop.set()
    server.should_exit = True
    await serving
