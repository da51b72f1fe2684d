"""The entry points of the processes that are started by a command line: the admin, and a fork-server that replaces a dead one.

Owns the order of the start: the fork-server is forked off while this process is small, has one thread, and has not loaded asyncio.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

import garrick.node.worker  # noqa: F401 - loaded before the fork, so that it is loaded once
from garrick.node import forkserver
from garrick.node.forkserver import NodeConfig, set_title
from garrick.node.rundir import RunDir
from garrick.observe import logsetup


def admin_main() -> NoReturn:
    """Be the admin of a system that a client starts: its configuration is on the standard input."""
    config = _read_config()
    lock, listener = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the client decides what an interrupt means
    status = run(config, RunDir(Path(config.rundir), lock), socket.socket(fileno=listener))
    logsetup.end()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def forkserver_main() -> NoReturn:
    """Be the fork-server of a system whose first one died."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    forkserver.serve(sock, _read_config(), int(sys.argv[2]))


def run(config: NodeConfig, rundir: RunDir, listener: socket.socket) -> int:
    """Be the admin until the system has ended; the exit status."""
    for descriptor in (rundir.lock, listener.fileno()):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    admin = os.getpid()
    pid = os.fork()
    if pid == 0:
        rundir.close()  # the lock says that the admin lives, and nothing else
        listener.close()
        ours.close()
        forkserver.serve(theirs, config, admin)
    theirs.close()
    set_title("garrick admin")
    refused = logsetup.begin(config.logging, config.log_level, config.system, "admin")
    from garrick.node.host import serve  # late: loads asyncio, which the fork-server must not have

    return serve(config, rundir, listener, ours, pid, refused)


def _read_config() -> NodeConfig:
    config = pickle.load(sys.stdin.buffer)
    assert isinstance(config, NodeConfig)
    null = os.open(os.devnull, os.O_RDONLY)
    with contextlib.suppress(OSError):
        os.dup2(null, 0)
    os.close(null)
    return config
