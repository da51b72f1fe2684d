"""Formatters, and what the log says of dead letters and crashes."""

from __future__ import annotations

import json
import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from garrick import Address, DeadLetter
from garrick.errors import BadLogging
from garrick.observe import logs, logsetup
from garrick.observe.letters import REASONS
from garrick.observe.logs import ActorFilter, ActorLog, JsonFormatter, TextFormatter
from garrick.runtime import crash
from garrick.runtime.letterlog import EVERY, KINDS, LetterLog
from garrick.supervision import Restart, Resume


class Account:
    """Stands for an actor's class."""


def cell(name: str | None = "ann") -> Any:
    spec = SimpleNamespace(actor_class=Account, name=name, supervision=None)
    address: Address[Any] = Address("bank@1", 1, 7)
    return SimpleNamespace(spec=spec, address=address, children=None, queue=None, failures=None)


def record(text: str = "paid %d", *arguments: Any, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.INFO, __file__, 1, text, arguments or (3,), more.pop("exc_info", None))
    vars(made).update(more)
    return made


FIELDS = {
    "garrick_system": "bank@1",
    "garrick_actor": "ann",
    "garrick_class": "Account",
    "garrick_address": "bank@1/1/0.7",
    "garrick_message": "Deposit",
}


def test_json_is_one_object_per_line() -> None:
    line = JsonFormatter().format(record(**FIELDS, order=12, what=object))
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found.pop("pid") > 0
    assert found == {
        "level": "INFO",
        "logger": "shop",
        "message": "paid 3",
        "system": "bank@1",
        "actor": "ann",
        "class": "Account",
        "address": "bank@1/1/0.7",
        "message_type": "Deposit",
        "thread": "MainThread",
        "order": 12,
        "what": repr(object),
    }


def test_json_has_the_traceback_with_its_notes() -> None:
    error = LookupError("no such order")
    error.add_note("hint: look again")
    line = JsonFormatter().format(record("bad\nline %d", exc_info=(LookupError, error, None)))
    found = json.loads(line)
    assert "LookupError: no such order\nhint: look again" in found["exception"]
    assert found["message"] == "bad\nline 3"
    assert "actor" not in found


def test_text_names_the_actor_once() -> None:
    assert TextFormatter().format(record(**FIELDS)).endswith("INFO shop: paid 3 [Account ann]")
    named = record("bank@1/1/0.7 paid %d", **FIELDS)
    assert TextFormatter().format(named).endswith("INFO shop: bank@1/1/0.7 paid 3")
    assert TextFormatter().format(record()).endswith("INFO shop: paid 3")


def test_the_filter_keeps_what_a_record_has() -> None:
    made = record(**FIELDS)
    assert ActorFilter().filter(made)
    assert vars(made).items() >= FIELDS.items()


def test_the_log_of_an_actor_keeps_the_caller_s_extras(caplog: pytest.LogCaptureFixture) -> None:
    ActorLog(logging.getLogger("shop"), cell()).warning("paid", extra={"order": 12})
    (made,) = caplog.records
    assert (made.order, made.garrick_actor, made.garrick_class) == (12, "ann", "Account")  # type: ignore[attr-defined]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the processes of a system."""
    factory = logging.getLogRecordFactory()
    monkeypatch.setattr(logs, "_process", {})
    monkeypatch.setattr(logs, "_installed", False)
    monkeypatch.setattr(logging, "_logRecordFactory", factory)
    logs.install("bank@1", "worker 3")


@pytest.mark.usefixtures("installed")
def test_records_of_a_process_of_a_system(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("shop")
    logger.warning("nobody's")
    ActorLog(logger, cell()).warning("paid", extra={"order": 12})
    logger.warning("told", **logs.about(logger, cell(), "message"))
    logger.warning("nobody's again")
    logging.getLogger("__garrick_main_12ab").warning("the program's")
    found = [(r.garrick_system, r.garrick_actor, r.garrick_message) for r in caplog.records]  # type: ignore[attr-defined]
    assert found == [
        ("bank@1", "", ""),
        ("bank@1", "ann", ""),
        ("bank@1", "ann", "str"),
        ("bank@1", "", ""),
        ("bank@1", "", ""),
    ]
    assert caplog.records[1].order == 12  # type: ignore[attr-defined]
    assert caplog.records[0].garrick_process == "worker 3"  # type: ignore[attr-defined]
    assert caplog.records[-1].name == "__main__"


@pytest.mark.usefixtures("installed")
def test_what_was_told_of_one_record_is_not_said_of_another(caplog: pytest.LogCaptureFixture) -> None:
    logs.about(logging.getLogger("disabled"), cell())
    logging.getLogger("shop").warning("nobody's")
    assert caplog.records[0].garrick_actor == ""  # type: ignore[attr-defined]


# --- configurations --------------------------------------------------------------------------------------------------


def test_streams_travel_by_name_and_loggers_stay_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr("logging.config.dictConfig", taken.append)
    monkeypatch.setattr(logs, "install", lambda *_: None)
    config = {"version": 1, "handlers": {"out": {"class": "logging.StreamHandler", "stream": sys.stdout}}}
    assert logsetup.begin(logsetup.pack(config), logging.INFO, "bank@1", "worker 1") is None
    assert taken[0]["handlers"]["out"]["stream"] == "ext://sys.stdout"
    assert taken[0]["disable_existing_loggers"] is False
    assert config["handlers"]["out"]["stream"] is sys.stdout  # type: ignore[index]


class Local(logging.Handler):
    """A class that pretends to be one of the main file."""


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("root", "takes a dictionary"),
        ({"version": 1, "handlers": {"h": {"()": lambda: None}}}, "can't leave this process"),
        ({"version": 1, "handlers": {"h": {"()": Local}}}, "main file"),
        ({"version": 1, "handlers": {"f": {"class": "logging.FileHandler", "filename": "x", "mode": "w"}}}, "mode 'w'"),
    ],
)
def test_what_can_not_travel_is_refused_at_once(config: Any, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Local, "__module__", "__main__")
    with pytest.raises(BadLogging, match=why) as caught:
        logsetup.pack(config)
    assert caught.value.hint


def test_the_default_has_the_level_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logging, "getLogger", lambda *_: root)
    assert logsetup.program_level() == logging.WARNING
    root.setLevel(logging.DEBUG)
    assert logsetup.program_level() == logging.DEBUG
    root.setLevel(logging.NOTSET)
    assert logsetup.program_level() == logging.WARNING


# --- dead letters ----------------------------------------------------------------------------------------------------


class Clock:
    """Stands still."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


def letter(message: Any = 1, reason: str = "stopped") -> DeadLetter:
    target: Address[Any] = Address("bank@1", 1, 7)
    target._cell = cell()
    return DeadLetter(message, target, None, reason)


def test_the_first_dead_letter_of_a_kind_is_told_with_cause_and_advice(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    told = LetterLog(clock)  # type: ignore[arg-type]
    for each in (letter(1), letter(2), letter("x"), letter(3, "unhandled")):
        told.note(each, quiet=False)
    assert [r.getMessage().partition(" to ")[0] for r in caplog.records] == [
        "dead letter (stopped): int",
        "dead letter (stopped): str",
        "dead letter (unhandled): int",
    ]
    cause, advice = REASONS["stopped"]
    text = caplog.records[0].getMessage()
    assert "Account bank@1/1/0.7" in text
    assert cause in text
    assert advice in text
    assert "GAR-1301" in text
    assert caplog.records[0].garrick_class == "Account"  # type: ignore[attr-defined]


def test_the_rest_is_counted_and_told_after_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    told = LetterLog(clock)  # type: ignore[arg-type]
    for _ in range(500):
        told.note(letter(), quiet=False)
    clock.time += EVERY
    told.note(letter(), quiet=False)
    clock.time += EVERY
    told.note(letter(), quiet=False)
    first, second, third = (r.getMessage() for r in caplog.records)
    assert "more like it" not in first + third
    assert "499 more like it in the last 60 s" in second


def test_kinds_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    told = LetterLog(Clock())  # type: ignore[arg-type]
    for number in range(KINDS + 10):
        told.note(letter(reason=f"reason {number}"), quiet=False)
    assert len(told._kinds) == KINDS
    assert len(caplog.records) == KINDS + 10


def test_dead_letters_of_an_ending_system_are_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "garrick.deadletter")
    LetterLog(Clock()).note(letter(), quiet=True)  # type: ignore[arg-type]
    assert [r.levelname for r in caplog.records] == ["DEBUG"]


# --- crash reports ---------------------------------------------------------------------------------------------------


def test_a_failure_is_one_line_and_a_report_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("negative")
    error.add_note("hint: be positive")
    crash.tell(cell(), "Account failed", -3, None, error, Resume())
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "Account failed (bank@1/1/0.7); it goes on (garrick explain GAR-2202)")
    ]
    caplog.clear()
    caplog.set_level(logging.DEBUG, "garrick.actor")
    crash.tell(cell(), "Account failed", -3, None, error, Restart())
    line, report = caplog.records
    assert line.getMessage().endswith("it restarts, unless its limit is reached (garrick explain GAR-2202)")
    assert line.exc_info is None
    text = TextFormatter().format(report)
    for part in ("message: -3", "sender: the program", "policy: Restart(", "children: none", "be positive"):
        assert part in text
    assert report.garrick_message == "int"  # type: ignore[attr-defined]


class Wicked:
    def __repr__(self) -> str:
        raise KeyboardInterrupt


def test_reports_survive_messages_that_can_not_be_printed() -> None:
    text = crash.report(cell(), "Account failed", Wicked(), None, Resume())
    assert "Wicked (its repr raised KeyboardInterrupt" in text
    assert len(crash.report(cell(), "t", "x" * 10_000, None, Resume())) < 1000
