"""What was refused at the door is remembered for the check of a connection."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Executes the SQL beside this folder; plain SQL is what people review."""
    text = Path(__file__).parents[1].joinpath("0007_refused_webhooks.sql").read_text(encoding="utf-8")
    # The driver's own cursor and no parameters: the text holds many statements.
    op.get_bind().connection.cursor().execute(text)
