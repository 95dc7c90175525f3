"""The page that shows the graph is the graph's own."""

from graph.picture import PAGE, page


def test_the_picture_in_the_docs_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m graph.picture"
