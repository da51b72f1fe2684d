"""Which modules and folders there are in a bundle, from its manifest. Pure."""

from __future__ import annotations

from garrick.sources.manifest import Manifest, is_native


class Index:
    """The files of a bundle by folder.

    Attributes:
        digests: SHA-256 by path.
        folders: names that are directly in each folder; the root is the empty path.
        tops: names that `import` finds at the root.
    """

    __slots__ = ("digests", "folders", "tops")

    def __init__(self, manifest: Manifest) -> None:
        self.digests = {file.path: file.digest for file in manifest.files}
        self.folders: dict[str, set[str]] = {"": set()}
        self.tops: set[str] = set()
        for path in self.digests:
            parts = path.split("/")
            for depth, part in enumerate(parts):
                self.folders.setdefault("/".join(parts[:depth]), set()).add(part)
            if path.endswith(".py") or is_native(path):
                top = parts[0].partition(".")[0]
                if top.isidentifier() and (len(parts) == 1 or parts[0] == top):
                    self.tops.add(top)
        self.tops.discard("__init__")

    def find(self, folder: str, name: str) -> tuple[str | None, bool] | None:
        """The file of a module in a folder, and whether it is a package; a package without ``__init__.py`` has no file."""
        base = f"{folder}/{name}" if folder else name
        for path, package in ((f"{base}/__init__.py", True), (f"{base}.py", False)):
            if path in self.digests:
                return path, package
        return (None, True) if base in self.folders else None

    def modules(self, folder: str) -> dict[str, bool]:
        """Names of the modules in a folder, and whether each is a package."""
        found = {}
        for entry in self.folders.get(folder, ()):
            name = entry.removesuffix(".py")
            if not name.isidentifier() or name == "__init__":
                continue
            path = f"{folder}/{entry}" if folder else entry
            if entry != name or f"{path}/__init__.py" in self.digests:
                found[name] = entry == name
        return found
