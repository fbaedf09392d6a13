"""What each result looks like as text. The most wanted thing stands first, what to do next stands last."""

from __future__ import annotations

from collections.abc import Callable

from mldeploy.ui.page import Page

Command = Callable[[str], str]
"""Words of a command → the line to type for this same project."""


def nothing(_page: Page) -> None:
    """What is shown only as a document."""
