"""What language models cost, how they are, and what they wrote are kept in rows."""

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Executes the SQL beside this folder; plain SQL is what people review."""
    text = Path(__file__).parents[1].joinpath("0020_models.sql").read_text(encoding="utf-8")
    # The driver's own cursor and no parameters: the text holds many statements.
    op.get_bind().connection.cursor().execute(text)
