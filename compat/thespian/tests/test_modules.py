"""The modules beside ``thespian.actors``: troupes, transient actors, initializing messages, programs, status, times, the shell."""

from __future__ import annotations

import importlib
import io
import os
import socket
import time
from datetime import timedelta
from typing import Any

import acting
import companies
import psutil
import pytest
from houses import Start, free_port, gone, processes_of

from thespian.actors import (
    ActorExitRequest,
    ActorSystem,
    InvalidActorAddress,
    PoisonMessage,
    Thespian_ActorStatus,
    Thespian_StatusReq,
    Thespian_SystemStatus,
)
from thespian.director import ActorAddressLogFilter
from thespian.runcommand import (
    Command,
    CommandAbort,
    CommandError,
    CommandLog,
    CommandOutput,
    CommandResult,
    CommandStarted,
    RunCommand,
)
from thespian.shell import ThespianShell
from thespian.system.messages.status import formatStatus
from thespian.system.timing import ExpirationTimer, Timer, timePeriodSeconds, toTimeDeltaOrNone, unexpired
from thespian.system.utilis import (
    AssocList,
    StatsManager,
    checkActorCapabilities,
    fmap,
    partition,
    withPossibleInitArgs,
)
from thespian.troupe import UpdateTroupeSettings

# --- troupes --------------------------------------------------------------------------------------------------------------


def test_a_troupe_does_all_work_also_false_one(asys: ActorSystem) -> None:
    company = asys.createActor(companies.Company)
    works: tuple[Any, ...] = (0, "", None, [], "more")
    for work in works:
        asys.tell(company, work)
    done = [asys.listen(10) for _ in range(5)]
    assert sorted(map(str, done)) == sorted(str(("did", work)) for work in works)
    assert "Idle=1, Max=3, Troupers [" in asys.ask(company, "troupe:status?", 10)


def test_the_settings_of_a_troupe_are_changed_and_are_no_work(asys: ActorSystem) -> None:
    company = asys.createActor(companies.Company)
    settings = asys.ask(company, UpdateTroupeSettings(max_count=7), 10)
    assert (settings.max_count, settings.idle_count) == (7, 1)
    assert asys.ask(company, "troupe:set_max_count=2", 10) == "Set troupe max_count to 2"
    assert asys.ask(company, "troupe:set_idle_count=2", 10) == "Set troupe idle_count to 2"
    assert asys.ask(company, "troupe:set_max_count=none", 10).startswith("Error changing max_count")
    assert asys.ask(company, "troupe:status?", 10).startswith("Idle=2, Max=2, ")
    assert asys.ask(company, "work", 10) == ("did", "work")


def test_failed_work_of_a_troupe_comes_back_and_long_work_ends(asys: ActorSystem) -> None:
    company = asys.createActor(companies.Company)
    assert asys.ask(company, "bad", 10) == PoisonMessage("bad")
    assert asys.ask(company, "two steps", 10) == "second step"
    assert asys.ask(company, "work", 10) == ("did", "work")


def test_work_that_ends_its_workers_comes_back(start: Start) -> None:
    asys = start("multiprocTCPBase")
    company = asys.createActor(companies.Company)
    poison = asys.ask(company, "die", 20)
    assert (poison, "3 workers" in poison.details) == (PoisonMessage("die"), True)
    assert asys.ask(company, "work", 10) == ("did", "work")


# --- transient actors, initializing messages ------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [companies.Mayfly, companies.Bored])
def test_a_transient_actor_exits_by_itself(asys: ActorSystem, actor: Any) -> None:
    brief = asys.createActor(actor)
    assert asys.ask(brief, "x", 10) == "x"
    deadline = time.monotonic() + 10
    while asys.ask(brief, Thespian_StatusReq(), 1) is not None:  # which does not count as use
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_actor_gets_its_initializing_messages_first(asys: ActorSystem) -> None:
    prepared = asys.createActor(companies.Prepared)
    for message in (1.5, 7, 2.5, "text"):
        asys.tell(prepared, message)
    assert [asys.listen(10), asys.listen(10)] == [(7, "text", True, True, 1.5), (7, "text", True, True, 2.5)]
    assert asys.ask(prepared, 8, 10) == (7, "text", True, True, 8)
    another = asys.createActor(companies.Prepared)
    asys.tell(another, 1)
    assert asys.ask(another, 3.5, 0.1) is None
    passing = asys.createActor(companies.Open)
    assert asys.ask(passing, "x", 10) == (None, "x")
    asys.tell(passing, 5)
    assert asys.ask(passing, "x", 10) == (5, "x")


# --- programs -------------------------------------------------------------------------------------------------------------


def test_a_program_is_run_and_its_output_told(asys: ActorSystem) -> None:
    runner = asys.createActor(RunCommand)

    def run(exe: str, args: list[str], **kw: Any) -> CommandResult:
        result = asys.ask(runner, Command(exe, args, logger=False, **kw), 20)
        assert isinstance(result, CommandResult)
        return result

    good = run("echo", ["a", "b"])
    assert (bool(good), good.exitcode, good.stdout, good.stderr, good.errorstr) == (True, 0, "a b\n", "", "")
    assert good.duration < timedelta(seconds=20)
    bad = run("echo out; echo err >&2; exit 3", [], use_shell=True)
    assert (bool(bad), bad.exitcode, bad.stdout, bad.stderr) == (False, 3, "out\n", "err\n")
    assert "FAILED (3)" in bad.errorstr
    assert run("no such program", []).exitcode == 2
    assert run("cat", [], input_src="x" * 300_000).stdout == "x" * 300_000
    head, tail = run("cat", [], input_src="a" * 1000 + "b" * 1000, max_bufsize=100).stdout
    assert (head, tail) == ("a" * 50, "b" * 50)
    assert run("sleep", ["60"], timeout=0.05).exitcode == -15
    assert run("printenv", ["ONLY"], env={"ONLY": "this"}).stdout == "this\n"


def test_commands_wait_for_each_other_and_can_be_aborted(start: Start) -> None:
    asys = start("multiprocTCPBase")
    runner = asys.createActor(RunCommand)
    first = asys.ask(runner, Command("sleep", ["60"], logger=False, report_on_start=True), 10)
    assert isinstance(first, CommandStarted)
    asys.tell(runner, Command("echo", ["second"], logger=False))
    asys.tell(runner, CommandAbort())
    aborted, second = asys.listen(10), asys.listen(10)
    assert (aborted.exitcode, aborted.command.exe) == (-9, "sleep")
    assert (second.exitcode, second.stdout) == (0, "second\n")
    third = asys.ask(runner, Command("sleep", ["60"], logger=False, report_on_start=True), 10)
    asys.tell(runner, ActorExitRequest())
    assert asys.listen(10).exitcode == -3
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{third.pid}"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- status ---------------------------------------------------------------------------------------------------------------


def test_actors_and_the_system_tell_their_status(start: Start, base: str) -> None:
    asys = start(base, {"mine": 1})
    parent = asys.createActor(companies.Parent, globalName="the parent")
    child = asys.ask(parent, "begin", 10)
    status = asys.ask(parent, Thespian_StatusReq(), 10)
    assert isinstance(status, Thespian_ActorStatus)
    assert (status.actorAddress, status.childActors, len(status.pendingWakeups)) == (parent, [child], 1)
    assert (status.actorClass, status.exiting) == ("companies.Parent", False)
    of_child = asys.ask(child, Thespian_StatusReq(), 10)
    assert (of_child.parentAddress, of_child.childActors) == (parent, [])
    running: Any = asys._systemBase
    of_system = asys.ask(running.adminAddr, Thespian_StatusReq(), 10)
    assert isinstance(of_system, Thespian_SystemStatus)
    assert (of_system.childActors, of_system.globalActors) == ([parent], {"the parent": parent})
    assert of_system.capabilities["mine"] == 1
    assert status.adminAddress == of_system.adminAddress == running.adminAddr
    for one, text in ((status, "companies.Parent"), (of_system, "the parent -->")):
        out = io.StringIO()
        formatStatus(one, tofd=out)
        assert text in out.getvalue()
    assert asys.ask(parent, "convention", 10) == "registered"


def test_an_actor_can_end_the_system(start: Start) -> None:
    asys = start("multiprocTCPBase")
    processes = processes_of(asys)
    asys.tell(asys.createActor(companies.Parent), "end")
    assert gone(processes) == []
    simple = start("simpleSystemBase")
    poison = simple.ask(simple.createActor(companies.Parent), "end", 10)
    assert "AttributeError" in poison.details


@pytest.mark.parametrize("asked", [True, False])
def test_a_manager_ends_with_the_actor_that_has_made_it(start: Start, asked: bool) -> None:
    asys = start("multiprocTCPBase")
    managing = asys.createActor(companies.Managing)
    manager = psutil.Process(asys.ask(managing, "begin", 20))
    if asked:
        asys.tell(managing, ActorExitRequest())
    else:
        asys.shutdown()
    assert gone([manager]) == []


# --- files ----------------------------------------------------------------------------------------------------------------


def test_files_are_watched(start: Start) -> None:
    asys = start("multiprocTCPBase")
    assert asys.capabilities["Thespian Watch Supported"] is True
    watching = asys.createActor(companies.Watching)
    assert asys.ask(watching, "pipe", 10) == "watching"
    assert asys.ask(watching, "write", 10) == b"written"
    assert asys.ask(watching, "write and forget", 10) == "forgotten"
    assert asys.listen(0.1) is None
    assert asys.ask(watching, "file", 10) == b'"""Acto'


# --- the port of the system -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_somebody_else_has_is_refused(kind: socket.SocketKind) -> None:
    base = "multiprocTCPBase" if kind is socket.SOCK_STREAM else "multiprocUDPBase"
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        with pytest.raises(InvalidActorAddress, match="not a valid or useable ActorSystem Admin"):
            ActorSystem(base, {"Admin Port": taken.getsockname()[1]}, False, transientUnique=True)


def test_the_port_answers_while_the_system_lives() -> None:
    port = free_port()
    asys = ActorSystem("multiprocTCPBase", {"Admin Port": port}, False, transientUnique=True)
    try:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), 5) as probe:
                assert probe.recv(1) == b""
        assert asys.ask(asys.createActor(acting.Echo), "x", 10) == "x"
    finally:
        asys.shutdown()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


# --- the rest -------------------------------------------------------------------------------------------------------------


def test_times() -> None:
    assert [timePeriodSeconds(period) for period in (2, 0.5, timedelta(minutes=1))] == [2.0, 0.5, 60.0]
    assert toTimeDeltaOrNone(None) is None
    assert toTimeDeltaOrNone(1) == toTimeDeltaOrNone(timedelta(seconds=1)) == timedelta(seconds=1)
    with pytest.raises(TypeError):
        timePeriodSeconds("1")  # type: ignore[arg-type]
    never, over, long = ExpirationTimer(None), ExpirationTimer(0), ExpirationTimer(timedelta(hours=1))
    assert (never.expired(), over.expired(), long.expired(), bool(over)) == (False, True, False, True)
    assert sorted([never, long, over]) == [over, long, never]
    assert (never.remainingSeconds(7), over.remaining(), never.remaining()) == (7, timedelta(0), None)
    assert 3500 < (long.remainingSeconds() or 0) <= 3600
    assert Timer().elapsed() < timedelta(minutes=1)
    with unexpired(long) as left, unexpired(over) as none_left:
        assert (left, none_left) == (True, False)


def test_helpers() -> None:
    assert partition(lambda number: number > 2, [1, 3, 2, 4]) == ([3, 4], [1, 2])
    assert fmap(str, [1, (2, 3), {"a": 4}]) == ["1", ("2", "3"), {"a": "4"}]
    pairs: AssocList[Any, int] = AssocList()
    pairs.add([1], 1)
    pairs.add([1], 2)
    assert (pairs.find([1]), len(pairs), pairs.find("x")) == (2, 1, None)
    counters, status = StatsManager(), Thespian_SystemStatus(None)  # type: ignore[arg-type]
    counters.inc("sent")
    counters.copyToStatusResponse(status)
    assert status.miscKeyVals == [("sent", 1)]
    assert withPossibleInitArgs(a=1, capabilities={})(acting.Raising).seen == []
    assert not checkActorCapabilities(acting.Picky, {})
    assert checkActorCapabilities("acting.Echo", {})
    assert importlib.import_module("thespian.importlib").import_module("acting") is acting
    assert importlib.import_module("thespian.api").ThespianGeneration == (3, 10)


def test_the_filter_of_log_records_fills_in_the_address() -> None:
    import logging

    record = logging.makeLogRecord({})
    assert ActorAddressLogFilter().filter(record)
    assert record.__dict__["actorAddress"] == "-not-actor-"
    record.__dict__["actorAddress"] = "there"
    assert ActorAddressLogFilter().filter(record)
    assert record.__dict__["actorAddress"] == "there"


def test_the_shell() -> None:
    out = io.StringIO()
    shell = ThespianShell(stdout=out)
    try:
        for line in (
            "ask 1 x",
            "start simpleSystemBase {'mine': 1}",
            "create_testActor",
            "ask 1 hello",
            "status",
            "info",
        ):
            assert not shell.onecmd(line)
        for line in ("actorCount", "kill 1", "actorCount", "ask 9 x", "start simpleSystemBase __import__('os')"):
            assert not shell.onecmd(line)
    finally:
        shell.onecmd("stop")
    assert shell.onecmd("exit")
    said = out.getvalue()
    for text in (
        "there is no system",
        "Got: hello",
        "mine: 1",
        "1 actors\n",
        "0 actors\n",
        "IndexError",
        "stop it first",
    ):
        assert text in said


def test_output_is_told_while_a_program_runs(start: Start) -> None:
    asys = start("multiprocTCPBase")
    relay = asys.createActor(companies.Relay)
    asys.tell(relay, "echo out; echo err >&2; echo secret")
    heard = [asys.listen(10) for _ in range(2)]
    while not isinstance(heard[-1], CommandResult):
        heard.append(asys.listen(10))
    text = "".join(one.output for one in heard if isinstance(one, CommandOutput))
    assert text == "out\nsecret\n"
    assert [one.error_output for one in heard if isinstance(one, CommandError)] == ["err\n"]
    logged = [one for one in heard if isinstance(one, CommandLog)]
    assert logged
    assert not any("secret" in one.message for one in logged)
