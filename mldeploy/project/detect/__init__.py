"""What a folder is: the app in it, how it is served, what it needs, which models it holds, and what looks wrong.

Everything is read as source or as data; nothing is imported or run. `detect` is the way in; `tables` turns what was
found into what a `mldeploy.toml` would say.
"""

from mldeploy.project.detect.dependency import Dependency, Listing, Origin
from mldeploy.project.detect.entry import Entry
from mldeploy.project.detect.environment import Environment
from mldeploy.project.detect.findings import Certainty, Found, Remark, Severity, Source
from mldeploy.project.detect.folder import Folder, Options, detect
from mldeploy.project.detect.frameworks import Interface
from mldeploy.project.detect.models import Model
from mldeploy.project.detect.serving import is_served
from mldeploy.project.detect.tables import Setting, settings, tables

__all__ = [
    "Certainty",
    "Dependency",
    "Entry",
    "Environment",
    "Folder",
    "Found",
    "Interface",
    "Listing",
    "Model",
    "Options",
    "Origin",
    "Remark",
    "Setting",
    "Severity",
    "Source",
    "detect",
    "is_served",
    "settings",
    "tables",
]
