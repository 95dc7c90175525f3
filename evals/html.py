"""The few pieces of HTML that reports are put together from; every word that goes in is escaped."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template

from evals.canvas import DOTS_PER_INCH

SHOWN_PER_INCH = 108


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


def figure(name: str, picture: bytes, caption: str) -> str:
    """A PNG within the page itself."""
    # The pictures are sharper than they are shown; a PNG says its width in its bytes 16 to 20.
    size = f'alt="{escape(name.replace("_", " "))}" width="{int.from_bytes(picture[16:20]) * SHOWN_PER_INCH // DOTS_PER_INCH}"'
    data = b64encode(picture).decode("ascii")
    return f'<figure><img {size} src="data:image/png;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page that stands alone."""
    template = Template(files("evals").joinpath("report.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), body="\n".join(parts))


def _head(cell: str | Cell) -> str:
    return _cell(cell).replace("<td", "<th", 1).replace("</td>", "</th>", 1)


def _text(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.text
