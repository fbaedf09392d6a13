"""Lines of a requirements file that an image cannot install: they name what is in the user's folder alone.

Standard: pip, Requirements File Format.
"""

from __future__ import annotations

import re
from typing import Final

EDITABLE: Final = re.compile(r"(?:-e|--editable)[\s=]*(\S.*)")
OF_EDITABLE: Final = (
    "an editable requirement points at a folder that the image does not have",
    "Drop the line: the project's own modules can be imported in the image as they are.",
)
"""What is wrong with it, and what to do."""
ITSELF: Final = re.compile(r"(\./?)(?=$|[\s;\[])")
OF_ITSELF: Final = (
    "installs the project itself, which is not there yet when the image installs the list",
    "Drop the line, and list what the project depends on: its own modules can be imported as they are.",
)
"""The same."""
