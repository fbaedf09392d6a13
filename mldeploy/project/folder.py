"""The folder itself: that there is one."""

from __future__ import annotations

import os
from pathlib import Path

from mldeploy.config.files import reason
from mldeploy.config.load import absolute
from mldeploy.project.errors import ProjectError

_NAME_IT = "Name the project's folder with -C."


def require_folder(folder: Path) -> None:
    """Raises ProjectError (or ConfigError, of a name that no folder can have) unless it is a folder one can read."""
    path = absolute(folder)
    try:
        os.scandir(path).close()
    except FileNotFoundError as error:
        raise ProjectError(str(path), "there is no such folder", _NAME_IT) from error
    except NotADirectoryError as error:
        what = "is a file, not a folder" if path.exists() else "there is no such folder"
        raise ProjectError(str(path), what, _NAME_IT) from error
    except OSError as error:
        raise ProjectError(str(path), reason(error), "Check its permissions.") from error
