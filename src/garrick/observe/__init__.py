"""Looking at a running system from outside: a read-only socket in its run directory."""
