"""What training leaves in a folder: the model, its card, and every bad row of the history."""

import csv
from pathlib import Path

from agents.planner.model import model_text
from evals.history import History
from evals.training.card import card_of, headline
from evals.training.card_pages import html, markdown
from evals.training.pictures import draw
from evals.training.train import Trained


def write(folder: Path, trained: Trained, history: History, source: str) -> None:
    """``model.json``, ``card.md``, ``card.html``, their pictures, and ``bad_rows.csv`` where there are any. Writes over what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    title, first = f"Model {trained.model.name}", headline(trained)
    blocks = card_of(trained, source, [str(problem) for problem in history.problems])
    pictures = draw(trained)
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(picture)
    (folder / "card.md").write_text(markdown(title, first, blocks), encoding="utf-8")
    (folder / "card.html").write_text(html(title, first, blocks, pictures), encoding="utf-8")
    _write_problems(folder / "bad_rows.csv", history)
    # Last, so that where writing broke off there is no model without its card.
    (folder / "model.json").write_text(model_text(trained.model), encoding="utf-8")


def _write_problems(path: Path, history: History) -> None:
    path.unlink(missing_ok=True)
    if not history.problems:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("line", "problem"))
        writer.writerows((problem.line, problem.what) for problem in history.problems)
