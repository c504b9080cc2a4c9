"""How a report reads: in a terminal, as Markdown, as a page, as pictures."""
