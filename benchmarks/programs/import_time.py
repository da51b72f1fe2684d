"""How long `import MODULE` takes in a fresh interpreter, over what the bare interpreter has loaded by itself.

Imports nothing but what is built in before the clock runs, so that the module pays for all it needs.
"""

import sys
import time

module = sys.argv[1]
begun = time.perf_counter()
loaded = __import__(module)
seconds = time.perf_counter() - begun
python = sys.version.split()[0]

import json  # noqa: E402  (only now: it would take part of the work off the module)
from importlib.metadata import PackageNotFoundError, version  # noqa: E402

try:
    release = version(module.partition(".")[0])
except PackageNotFoundError:
    release = getattr(loaded, "__version__", python)
print(json.dumps({"workload": "import", "operations": 1, "seconds": seconds, "python": python, "version": release}))
