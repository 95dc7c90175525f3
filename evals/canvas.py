"""One look for all pictures of reports: a quiet canvas, a title that says what is shown, PNG out; without a window system."""

from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, RIVAL, OTHERS, BOUND = "#1358d0", "#d9680f", "#8b94a3", "#12805c"
INK, FAINT, LINE, PALE = "#1d2330", "#5b6474", "#c4cad4", "#e4e8ee"
DOTS_PER_INCH = 160
WIDE, NARROW = 9.0, 7.0


def canvas(width: float, height: float) -> tuple[Any, "Axes"]:
    """A figure of so many inches, and its axes."""
    # A Figure of its own, not pyplot's: no window system, no state that outlives the picture.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(color=LINE, labelcolor=INK, labelsize=9.5)
    return figure, axes


def titled(axes: "Axes", title: str, says: str, grid: Literal["x", "y", "both"]) -> None:
    """A title, a line that says what is shown, and faint lines at the ticks of an axis."""
    axes.set_title(f"{title}\n", loc="left", fontsize=13, fontweight="bold", color=INK)
    axes.annotate(says, (0, 1), xycoords="axes fraction", textcoords="offset points", xytext=(0, 7), fontsize=9.5, color=FAINT)
    axes.grid(axis=grid, color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)


def percent() -> Any:
    """Ticks as percents, with as many digits as they need."""
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(xmax=1)


def png(figure: Any) -> bytes:
    """The picture."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
