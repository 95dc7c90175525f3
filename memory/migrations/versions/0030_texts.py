"""What people wrote is kept for the reader, and a decision names the run that a tracing service was told of."""

from pathlib import Path

from alembic import op

revision = "0030"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Executes the SQL beside this folder; plain SQL is what people review."""
    text = Path(__file__).parents[1].joinpath("0030_texts.sql").read_text(encoding="utf-8")
    # The driver's own cursor and no parameters: the text holds many statements.
    op.get_bind().connection.cursor().execute(text)
