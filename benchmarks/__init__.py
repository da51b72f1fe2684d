"""Benchmarks of Garrick beside its peers, in one run on one machine: `python -m benchmarks`.

Owns: what is measured (`catalogue`), how (`environments`, `processes`, `session`), what follows from it (`figures`, `report`).
Must not know: anything inside `garrick`; the programs under `programs/` use every library, Garrick too, by its public
API, each in a process of its own. Standard library only.
"""
