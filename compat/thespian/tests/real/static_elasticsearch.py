"""A server that gives a benchmarking tool the answers that a race asks for, and no more: ``static_elasticsearch.py PORT``."""

from __future__ import annotations

import http.server
import json
import sys
from typing import Any

POOL = {"used_in_bytes": 1, "peak_used_in_bytes": 1}
COLLECTOR = {"collection_time_in_millis": 1, "collection_count": 1}
NODE = {"name": "node", "host": "127.0.0.1", "ip": "127.0.0.1"}
INFO = {
    "name": "node",
    "cluster_name": "static",
    "cluster_uuid": "static",
    "version": {
        "number": "8.11.0",
        "distribution": "opensearch",
        "build_flavor": "default",
        "build_hash": "static",
        "build_snapshot": False,
        "lucene_version": "9.8.0",
    },
    "tagline": "You Know, for Search",
}
STATS: dict[str, Any] = {
    "cluster_name": "static",
    "nodes": {
        "id": {
            **NODE,
            "jvm": {
                "mem": {"pools": {"young": POOL, "old": POOL, "survivor": POOL}, "heap_used_in_bytes": 1},
                "gc": {"collectors": {"young": COLLECTOR, "old": COLLECTOR}},
            },
            "ingest": {"total": {"count": 0, "time_in_millis": 0, "current": 0, "failed": 0}, "pipelines": {}},
            "indices": {},
        }
    },
}
NODES = {
    "nodes": {
        "id": {
            **NODE,
            "os": {"name": "Linux", "version": "6", "available_processors": 2},
            "jvm": {"version": "17", "vm_vendor": "none"},
        }
    }
}
FOUND = {"took": 1, "timed_out": False, "hits": {"total": {"value": 1, "relation": "eq"}, "hits": []}}


def answer(path: str) -> Any:
    """What is at this path."""
    if path == "/":
        return INFO
    if path.startswith("/_cluster/health"):
        return {"status": "green", "relocating_shards": 0, "number_of_nodes": 1}
    if path.startswith("/_nodes/stats"):
        return STATS
    if path.startswith("/_nodes"):
        return NODES
    if path.endswith("/_search"):
        return FOUND
    if path.startswith("/_cat/indices"):
        return [{"index": "some", "docs.count": "1"}]
    if "_stats" in path:
        return {"_all": {"primaries": {}, "total": {}}, "indices": {}}
    return {"acknowledged": True}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every method alike."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """See the module."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps(answer(self.path.partition("?")[0])).encode()
        self.send_response(200)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
