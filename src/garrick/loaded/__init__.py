"""The package below which loaded sources live: ``garrick.loaded.h<16 digits of the hash>.<module>``.

Owns nothing but its name. Importing it installs the path hook that finds bundles, so that plain `pickle.loads` in a process that has loaded
nothing yet gets here, and from here to the store.
"""

from __future__ import annotations

from garrick.sources import finder

finder.install()
__path__ = [finder.ROOT]
