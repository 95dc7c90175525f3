"""The composition root: the only place that builds adapters and puts them together."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graph.settings import load_connections, load_settings
from graph.tracing import NoTracer, Tracer, open_tracer
from memory import keys
from memory.account_tickets import AccountTickets
from memory.database import Database
from memory.drafts import StoredDrafts
from memory.facts import DatabaseFacts
from memory.incidents import StoredIncidents
from memory.migrate import pending_migrations
from memory.policies import StoredPolicies
from memory.switches import StoredClock
from memory.texts import StoredTexts
from memory.ticket_embedding import SentenceEmbedder
from memory.ticket_shelves import Shelves
from memory.tickets import TicketStore
from recoup.clock import Clock, SystemClock, wall_now
from recoup.errors import Misconfigured
from recoup.ids import new_id
from recoup.model_port import Model, NoModel
from recoup.monotonic import MachineTime, MonotonicTime
from recoup.ports import BillingPlatform, Messenger, PolicySource
from recoup.settings import Connection, ModelSettings, Platform, Settings

if TYPE_CHECKING:
    from procrastinate import App

    from graph.build import DecisionGraph

__all__ = [
    "DatabaseUrls",
    "Services",
    "database_urls",
    "load_connections",
    "load_settings",
    "make_clock",
    "make_ticket_store",
    "open_database",
    "open_services",
]


@dataclass(frozen=True)
class Services:
    """Everything that a door or a job needs, opened. ``app`` is the queue's application, of which a worker is made; in ``time`` leases and
    answers are waited for."""

    settings: Settings
    db: Database
    clock: Clock
    policies: StoredPolicies
    facts: DatabaseFacts
    connections: Mapping[str, Connection]
    billing: Mapping[str, BillingPlatform]
    messenger: Messenger
    graph: "DecisionGraph"
    app: "App"
    ticket_store: TicketStore
    time: MonotonicTime = field(default_factory=MachineTime)
    tracer: Tracer = field(default_factory=NoTracer)

    @property
    def tickets(self) -> AccountTickets:
        """What agents and people may ask of tickets."""
        return AccountTickets(self.db, self.ticket_store, self.connections)


@dataclass(frozen=True)
class DatabaseUrls:
    """``app`` for Recoup at work, ``owner`` for migrations; the same where nobody gave a second role."""

    app: str
    owner: str


@asynccontextmanager
async def database_urls(settings: Settings) -> AsyncGenerator[DatabaseUrls]:
    """Where the database is. Our own one is started if need be, and stays up while the block lasts."""
    if settings.database_url:
        yield DatabaseUrls(app=settings.database_url, owner=settings.migrate_url or settings.database_url)
        return
    from memory.embedded import running

    embedded = running(settings.home)
    urls = await asyncio.to_thread(embedded.__enter__)
    try:
        yield DatabaseUrls(app=urls.app, owner=urls.owner)
    finally:
        await asyncio.to_thread(embedded.__exit__, None, None, None)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncGenerator[Database]:
    """The database alone, for a command that needs no more. Raises DatabaseUnavailable, or Misconfigured where it is not migrated."""
    async with database_urls(settings) as urls:
        db = Database(urls.app)
        await db.open()
        try:
            async with db.read() as session:
                missing = await pending_migrations(session)
            if missing:
                raise Misconfigured(f"the database is not up to date ({missing}); run recoup migrate")
            yield db
        finally:
            await db.close()


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """Everything, opened and closed again. Raises Misconfigured, or DatabaseUnavailable."""
    from graph.build import build_graph
    from graph.deps import GraphDeps
    from memory.checkpoints import PooledSaver
    from memory.queue import make_app

    async with AsyncExitStack() as stack:
        connections = load_connections(settings)
        db = await stack.enter_async_context(open_database(settings))
        if settings.admin_key:
            async with db.write() as tx:
                await keys.ensure_admin(tx, person=settings.admin_name, key=settings.admin_key, at=wall_now())
        billing = {name: await stack.enter_async_context(open_billing(connection)) for name, connection in connections.items()}
        app = make_app(db.url)
        await stack.enter_async_context(app.open_async())
        clock = make_clock(settings, db)
        policies, facts = StoredPolicies(db), DatabaseFacts(db, connections, billing)
        ticket_store = make_ticket_store(settings)
        stack.push_async_callback(ticket_store.close)
        model = make_model(settings.models, db, policies)
        deps = GraphDeps(
            facts=facts,
            policies=policies,
            clock=clock,
            new_id=new_id,
            model=model,
            drafts=StoredDrafts(db),
            texts=StoredTexts(db),
            incidents=StoredIncidents(db),
        )
        yield Services(
            settings=settings,
            db=db,
            clock=clock,
            policies=policies,
            facts=facts,
            connections=connections,
            billing=billing,
            messenger=_make_messenger(settings),
            graph=build_graph(deps, PooledSaver.over(db.pool)),
            app=app,
            ticket_store=ticket_store,
            tracer=open_tracer(),
        )


def make_ticket_store(settings: Settings) -> TicketStore:
    """The memory of tickets. Nothing is opened or loaded before it is used."""
    return TicketStore(Shelves(settings.home / "tickets", settings.chroma_url), SentenceEmbedder(settings.embedding_model))


def make_model(models: ModelSettings, db: Database, policies: PolicySource) -> Model:
    """The models that are asked, with their books in the database; NoModel where none is configured."""
    if not models.names:
        return NoModel()
    from agents.model import Chains, ChatModels
    from agents.model_wire import Endpoint, Wire
    from memory.model_calls import ModelCalls, ModelLimits

    endpoint = Endpoint(base_url=models.base_url, api_key=models.api_key, call_seconds=models.timeout_seconds)
    limits = ModelLimits(in_flight=models.in_flight, tokens_a_minute=models.tokens_a_minute)
    chains = Chains(default=models.chain, by_agent=models.by_agent, retries=models.retries)
    return ChatModels(chains, Wire(endpoint), ModelCalls(db, policies, limits))


def make_clock(settings: Settings, db: Database) -> Clock:
    """Wall time; in sandbox mode the stored clock, which can be advanced."""
    return StoredClock(db) if settings.sandbox else SystemClock()


@asynccontextmanager
async def open_billing(connection: Connection) -> AsyncGenerator[BillingPlatform]:
    """The adapter of one connection, closed when the block ends. Raises Misconfigured."""
    if connection.platform is Platform.SANDBOX:
        from tools.billing.sandbox import SandboxBilling

        async with SandboxBilling(connection) as sandbox:
            yield sandbox
    elif connection.platform is Platform.STRIPE and connection.api_key:
        from tools.billing.stripe import StripeBilling

        async with StripeBilling(connection) as stripe:
            yield stripe
    elif connection.platform is Platform.RECURLY and connection.api_key:
        from tools.billing.recurly import RecurlyBilling

        async with RecurlyBilling(connection) as recurly:
            yield recurly
    else:
        # Nothing here can read this connection or act on it: its events are all we know of it.
        from tools.billing.events_only import EventsOnly

        yield EventsOnly(connection.name)


def _make_messenger(settings: Settings) -> Messenger:
    if settings.smtp_url:
        from tools.messaging.smtp import SmtpMessenger

        return SmtpMessenger(settings.smtp_url, settings.mail_from)
    from tools.messaging.maildir import MaildirMessenger

    return MaildirMessenger(settings.home / "mail", settings.mail_from)
