"""``recoup migrate``: brings the database up to date, with the rights of its owner."""

import click

from recoup.settings import Settings


@click.command()
def command() -> None:
    """Bring the database up to date; safe to repeat, and while Recoup runs.

    RECOUP_MIGRATE_URL is the owner's connection string, RECOUP_DATABASE_URL the one Recoup works with: its role gets the rights it
    needs and no more. Without RECOUP_MIGRATE_URL one role does both, and the audit log is guarded by its trigger alone. The embedded
    database migrates itself.
    """
    from api.cli.running import run

    run(bring_up_to_date)
    click.echo("The database is up to date.")


async def bring_up_to_date(settings: Settings) -> None:
    """Migrates, and grants to whatever role the application's URL connects as."""
    import psycopg

    from graph.bootstrap import database_urls
    from memory.migrate import migrate
    from recoup.errors import DatabaseUnavailable

    async with database_urls(settings) as urls:
        try:
            async with await psycopg.AsyncConnection.connect(urls.app) as connection:
                app_role = connection.info.user
        except psycopg.OperationalError as exc:
            raise DatabaseUnavailable(f"PostgreSQL does not answer at RECOUP_DATABASE_URL: {exc}") from exc
        await migrate(urls.owner, app_role)
