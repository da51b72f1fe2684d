"""`ActorAddressLogFilter`, for formats that print ``actorAddress`` whoever logs."""

from __future__ import annotations

import logging


class ActorAddressLogFilter(logging.Filter):
    """Lets all records pass, and gives those that no actor has written the ``actorAddress`` ``-not-actor-``."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See Filter."""
        if not getattr(record, "actorAddress", None):
            record.actorAddress = "-not-actor-"
        return True
