"""The database may be told to look at what a backfill has put into it."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Executes the SQL beside this folder; plain SQL is what people review."""
    text = Path(__file__).parents[1].joinpath("0009_statistics.sql").read_text(encoding="utf-8")
    # The driver's own cursor and no parameters: the text holds many statements.
    op.get_bind().connection.cursor().execute(text)
