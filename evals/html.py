"""The few pieces of HTML that reports are put together from; every word that goes in is escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Cell:
    """A word of a table in a class of its own, such as ``words`` for text that wraps."""

    text: str
    style: str


def table(
    heads: Sequence[str | Cell], rows: Sequence[Sequence[str | Cell]], marks: Mapping[str, str] | None = None, above: str = ""
) -> str:
    """A table under a line that says what it shows; ``marks`` gives rows a class by their first cell."""
    marks = marks or {}
    head = "".join(map(_head, heads))
    body = "".join(f'<tr class="{escape(marks.get(_text(row[0]), ""))}">{"".join(map(_cell, row))}</tr>' for row in rows)
    told = paragraph(above, "faint") if above else ""
    return f'{told}<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def paragraph(text: str, style: str = "") -> str:
    """A paragraph."""
    return f'<p class="{escape(style)}">{escape(text)}</p>' if style else f"<p>{escape(text)}</p>"


def listed(items: Sequence[str]) -> str:
    """A list."""
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def definitions(meanings: Mapping[str, str]) -> str:
    """Words and what they mean."""
    return f"<dl>{''.join(f'<dt>{escape(word)}</dt><dd>{escape(meaning)}</dd>' for word, meaning in meanings.items())}</dl>"


def _cell(cell: str | Cell) -> str:
    return f"<td>{escape(cell)}</td>" if isinstance(cell, str) else f'<td class="{escape(cell.style)}">{escape(cell.text)}</td>'


def _head(cell: str | Cell) -> str:
    return _cell(cell).replace("<td", "<th", 1).replace("</td>", "</th>", 1)


def _text(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.text
