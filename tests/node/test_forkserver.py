"""The fork-server at the moments that kill -9 seldom meets."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap

WAIT = 10


def test_a_child_whose_parent_was_killed_right_after_the_fork_ends() -> None:
    """What it would ask the system for its parent then is whoever adopted it, which lives on."""
    program = textwrap.dedent("""
        import os, signal, socket, sys, time
        from garrick.node.forkserver import NodeConfig, _ForkServer

        class Orphaned(_ForkServer):
            def child(self, number, role, parent):
                os.write(1, f"{os.getpid()}\\n".encode())
                while os.getppid() == parent:
                    time.sleep(0.001)
                super().child(number, role, parent)

            def tell(self, **content):
                os.kill(os.getpid(), signal.SIGKILL)

        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        Orphaned(theirs, NodeConfig("a@0000000000", "/nowhere"), os.getppid()).start(1, "worker")
    """)
    # The pipe ends when the last process that holds it has ended; nothing that a child does before it knows closes it.
    read, write = os.pipe()
    with subprocess.Popen([sys.executable, "-c", program], stdout=write, stderr=write) as server:
        os.close(write)
        assert server.wait(WAIT) == -signal.SIGKILL
        output = bytearray()
        while select.select([read], [], [], WAIT)[0]:
            data = os.read(read, 4096)
            if not data:
                break
            output += data
        else:
            os.kill(int(output.split()[0]), signal.SIGKILL)
            raise AssertionError("the child lives on")
    os.close(read)
    assert output.split(b"\n", 1)[1] == b"", "it began its work"


def test_an_admin_that_is_stopped_does_not_outlive_its_owner() -> None:
    """It can't see that its owner dies; the fork-server can."""
    program = textwrap.dedent("""
        import os, signal, socket, sys
        from garrick.node import forkserver
        from garrick.node.forkserver import NodeConfig

        forkserver.OWNER_PATIENCE = 0.2
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        admin = os.getpid()
        if os.fork() == 0:
            print("ready", flush=True)
            forkserver.serve(theirs, NodeConfig("a@0000000000", "/nowhere", owner=int(sys.argv[1])), admin)
        os.kill(admin, signal.SIGSTOP)
    """)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        command = [sys.executable, "-c", program, str(owner.pid)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as admin:
            try:
                assert admin.stdout is not None
                assert admin.stdout.readline() == b"ready\n"
                assert not select.select([admin.stdout], [], [], 0.5)[0], "nothing happens while its owner lives"
                owner.kill()
                assert admin.wait(WAIT) == -signal.SIGKILL
                assert select.select([admin.stdout], [], [], WAIT)[0]
                assert b"outlives its owner" in admin.stdout.read()
            finally:
                admin.kill()
