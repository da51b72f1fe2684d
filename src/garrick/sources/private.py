"""A folder that belongs to this user alone, for what decides which code runs.

Owns making it and the check. Invariant: nothing is read from or written to a folder that somebody else could write to.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from garrick.errors import SourceError


def private_folder(path: Path, holds: str, variable: str, refused: type[SourceError]) -> Path:
    """Make a folder if it is missing, and see that nobody else can write there.

    Args:
        path: of the folder.
        holds: what is kept there, for a person.
        variable: of the environment that says where else it may be.
        refused: the error that is raised.

    Raises:
        SourceError: ``refused``: it is a link, belongs to another user, or others may write there.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)  # the mode is that of the last one only
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise refused(
            f"{path} can't hold {holds}: it is a link, belongs to another user, or others may write there",
            hint=f"chmod 700 {path}, or set {variable} to a private directory",
        )
    return path
