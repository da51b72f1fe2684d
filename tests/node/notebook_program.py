"""Executes a small notebook with a real kernel and prints what each cell printed, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import nbformat
from nbclient import NotebookClient

CELLS = [
    """
from garrick import Actor, ActorSystem, HandlerFailed, on
from garrick.aio import AsyncActorSystem

class Counter(Actor):
    def __init__(self):
        self.total = 0

    @on
    def add(self, number: int) -> int:
        self.total += number
        return self.total

    @on
    def fail(self, text: str) -> int:
        raise ValueError(text)
""",
    """
with ActorSystem("local") as system:
    print(system.ask(system.spawn(Counter), 1, timeout=30))
""",
    """
system = ActorSystem("multiprocess", workers=1)
counter = system.spawn(Counter)
print(system.ask(counter, 2, timeout=30))
""",
    """
try:
    system.ask(counter, "on purpose", timeout=30)
except HandlerFailed as error:
    print(type(error).__name__, "on purpose" in str(error))
""",
    """
async with AsyncActorSystem("local") as other:
    print(await other.ask(await other.spawn(Counter), 4, timeout=30))
""",
    """
system.stop()
print("stopped")
""",
]


def main(folder: str) -> None:
    """Run all cells in ``folder``; an error in a cell is an error here."""
    v4: Any = nbformat.v4  # its functions have no types
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell.strip()) for cell in CELLS])
    client = NotebookClient(
        notebook, timeout=40, startup_timeout=40, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()
    print(
        json.dumps(
            [
                "".join(output["text"] for output in cell["outputs"] if output.get("name") == "stdout").strip()
                for cell in notebook.cells
            ]
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
