"""The rows of one failed payment, from its webhook to its receipt."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Executes the SQL beside this folder; plain SQL is what people review."""
    text = Path(__file__).parents[1].joinpath("0001_foundation.sql").read_text(encoding="utf-8")
    # The driver's own cursor and no parameters: the text holds many statements and percent signs.
    op.get_bind().connection.cursor().execute(text)
