"""Templates: Jinja with delimiters that LaTeX, Markdown and Python do not know."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["environment"]


def environment(folder: str, printed: Callable[[Any], str]) -> Any:
    """Return the templates of a folder beside this file: `<< value >>`, `<% if %>`, `<# no #>`.

    `printed` turns every value into the text that stands in its place, and so escapes it. A name
    that a template uses and nobody gave is an error.
    """
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name(folder)),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        finalize=printed,
        autoescape=False,
    )
