"""A shell to try actor systems with: ``python -m thespian.shell``.

Owns the commands. Arguments are Python literals, never evaluated as code.
"""

from __future__ import annotations

import ast
import cmd
from typing import Any

from thespian._actor import Actor
from thespian._address import ActorAddress
from thespian._errors import ActorSystemException
from thespian._messages import ActorExitRequest, ActorSystemMessage
from thespian._status import Thespian_StatusReq, Thespian_SystemStatus, formatStatus
from thespian._system import ActorSystem

WAIT = 10.0


class TestActor(Actor):
    """Answers everything with what it got."""

    def receiveMessage(self, msg: Any, sender: ActorAddress, /) -> Any:
        """See Actor."""
        if not isinstance(msg, ActorSystemMessage):
            self.send(sender, f"Got: {msg}")


class ThespianShell(cmd.Cmd):
    """The shell. Addresses that it has shown can be given by their numbers; 0 is the system itself."""

    intro = "Actor systems: help lists the commands."
    prompt = "thespian> "

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.system: ActorSystem | None = None
        self.addresses: list[ActorAddress] = []

    def onecmd(self, line: str) -> bool:
        """A command that fails says so, and the shell goes on."""
        try:
            return bool(super().onecmd(line))
        except (ActorSystemException, ImportError, IndexError, SyntaxError, TypeError, ValueError) as error:
            self._say(f"{type(error).__name__}: {error}")
            return False

    def do_start(self, line: str) -> None:
        """Start [base [capabilities]]: start a system, or attach to the one that runs."""
        base, _, literal = line.strip().partition(" ")
        if self.system is not None:
            self._say("There is a system already: stop it first.")
            return
        capabilities = ast.literal_eval(literal.strip()) if literal.strip() else {}
        self.system = ActorSystem(base or None, capabilities)
        self.addresses = [self._system()._base.adminAddr]
        self._say(f"0: {self.addresses[0]}")

    def do_stop(self, line: str) -> None:
        """stop: shut the system down."""
        self._system().shutdown()
        self.system, self.addresses = None, []

    def do_info(self, line: str) -> None:
        """info: capabilities and known addresses."""
        for key, value in sorted(self._system().capabilities.items()):
            self._say(f"{key}: {value}")
        self.do_address(line)

    def do_address(self, line: str) -> None:
        """address: the known addresses."""
        for number, address in enumerate(self.addresses):
            self._say(f"{number}: {address}")

    def do_status(self, line: str) -> None:
        """Status [number]: what an actor, or the system itself, is and has."""
        status = self._system().ask(self._at(line.strip() or "0"), Thespian_StatusReq(), WAIT)
        if status is None:
            self._say("No answer.")
            return
        for child in status.childActors:
            if child not in self.addresses:
                self.addresses.append(child)
        formatStatus(status, self._shown, self.stdout)  # type: ignore[arg-type]

    def do_actorCount(self, line: str) -> None:
        """actorCount: how many actors there are."""
        seen: set[ActorAddress] = set()
        waiting = [self._at("0")]
        while waiting:
            status = self._system().ask(waiting.pop(), Thespian_StatusReq(), WAIT)
            if status is not None:
                seen.update(() if isinstance(status, Thespian_SystemStatus) else (status.actorAddress,))
                waiting += [child for child in status.childActors if child not in seen]
        self._say(f"{len(seen)} actors")

    def do_create_testActor(self, line: str) -> None:
        """create_testActor: an actor that answers everything."""
        self.addresses.append(self._system().createActor(TestActor))
        self._say(self._shown(self.addresses[-1]))

    def do_tell(self, line: str) -> None:
        """Tell number text: send text to an actor."""
        number, _, text = line.strip().partition(" ")
        self._system().tell(self._at(number), text)

    def do_ask(self, line: str) -> None:
        """Ask number text: send text, and print the next message that comes within 10 seconds."""
        number, _, text = line.strip().partition(" ")
        self._answer(self._system().ask(self._at(number), text, WAIT))

    def do_listen(self, line: str) -> None:
        """listen: print the next message that comes within 10 seconds."""
        self._answer(self._system().listen(WAIT))

    def do_kill(self, line: str) -> None:
        """Kill number: tell an actor to exit."""
        self._system().tell(self._at(line.strip()), ActorExitRequest())

    def do_exit(self, line: str) -> bool:
        """exit: leave the shell; a system that can go on goes on."""
        return True

    do_quit = do_exit
    do_EOF = do_exit

    def emptyline(self) -> bool:
        """Nothing is repeated."""
        return False

    def _system(self) -> ActorSystem:
        if self.system is None:
            raise ValueError("there is no system: start one")
        return self.system

    def _at(self, number: str) -> ActorAddress:
        self._system()
        return self.addresses[int(number)]

    def _shown(self, address: ActorAddress) -> str:
        known = address in self.addresses
        return f"{self.addresses.index(address)}: {address}" if known else str(address)

    def _answer(self, message: Any) -> None:
        self._say("No answer." if message is None else f"{message}")

    def _say(self, text: str) -> None:
        print(text, file=self.stdout)


def main() -> None:
    """Run the shell."""
    ThespianShell().cmdloop()


if __name__ == "__main__":
    main()
