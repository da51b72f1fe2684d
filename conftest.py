"""For all tests, wherever they are."""

from __future__ import annotations

import signal

# A suite in the background of a shell without job control (``make test &``) inherits an ignored SIGINT, and so would all that it starts:
# tests that interrupt a program would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
