"""A program: loads, uses and unloads a bundle many times; prints the objects and the memory of the process after each."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from garrick.sources.container import Limits, members, read
from garrick.sources.loading import Loaded, load
from garrick.sources.manifest import parse
from garrick.sources.storage import Memory
from garrick.sources.unload import unload


def use(loaded: Loaded) -> None:
    module = loaded.import_module("app.names")
    assert set(module.all_ways()) == {1}
    assert module.words()
    loaded.import_module("app.model").Account("ann")


def main(bundle: str, number: str) -> None:
    opened = read(Path(bundle).read_bytes(), Limits())
    manifest = parse(opened.text)
    contents = members(manifest, opened.archive, Limits())
    found = []
    for _ in range(int(number)):
        loaded = load(Memory(manifest, contents, f"/@memory/{opened.hash}"))
        use(loaded)
        result = unload(loaded)
        assert result.leaked == (), result
        del loaded
        gc.collect()
        found.append((len(gc.get_objects()), int(Path("/proc/self/statm").read_text().split()[1]) * 4096))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
