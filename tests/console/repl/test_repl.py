"""The REPL's functions, completion and batch mode, against a real service over its socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from prompt_toolkit.completion import CompleteEvent, DummyCompleter
from prompt_toolkit.document import Document

from console.cli.completion import accounts, message_names, paths, symbols
from console.cli.exit_codes import CommandError, ExitCode
from console.cli.messages import fields_from
from console.cli.service_client import ask_socket
from console.control import protocol as p
from console.control.sending import SENDABLE
from console.repl.functions import Functions
from console.repl.run import Batch, repl_from_cli
from console.repl.terminal import ServiceCompleter
from messages.ledger import AlertDraft, AlertLevel, AlertType
from messages.to_alerts import RaiseAlert
from messages.to_ledger import FindRows
from messages.values import Side
from tests.console.control.test_control import CONFIG, now, service

T = TypeVar("T")

DRAFT = AlertDraft(
    type=AlertType.OPERATOR_NEEDED, level=AlertLevel.CRITICAL, dedup_key="k", title="Look here"
)


def attached(folder: Path, job: Callable[[Functions], T]) -> T:
    """What the job gives, run as the REPL's own thread while a service runs in this one."""

    async def scenario() -> T:
        async with service(folder) as (_, path):
            return await asyncio.to_thread(job, Functions(path, confirm=lambda question: False))

    return asyncio.run(scenario())


def add_row(functions: Functions) -> None:
    ask_socket(
        functions.socket,
        p.AddRow(
            account="a",
            symbol="BTCUSDT",
            side=Side.LONG,
            quantity=Decimal("0.5"),
            entry_price=Decimal(60000),
            opened_at=now(),
        ),
    )


def refusal(job: Callable[[], object]) -> tuple[ExitCode, str]:
    with pytest.raises(CommandError) as refused:
        job()
    text = str(refused.value)
    assert "\n" not in text
    return refused.value.code, text


def offered(functions: Functions, text: str) -> list[str]:
    completer = ServiceCompleter(functions, fallback=DummyCompleter())
    found = completer.get_completions(Document(text), CompleteEvent())
    return [completion.text for completion in found]


def test_a_request_is_asked_by_name_or_by_type_and_answered_in_plain_values(
    tmp_path: Path,
) -> None:
    def job(functions: Functions) -> None:
        add_row(functions)
        by_name = functions.ask("ledger", "FindRows", symbol="BTCUSDT")
        assert by_name == functions.ask("ledger", FindRows(symbol="BTCUSDT"))
        assert isinstance(by_name, list)
        assert by_name[0]["quantity"] == "0.5"
        assert functions.ask("ledger", "FindRows", symbol="ETHUSDT") == []
        state = functions.ask("alerts", "GetState")
        assert isinstance(state, dict)
        assert state["path"] == "alerts"

    attached(tmp_path, job)


def test_a_message_that_is_told_reaches_its_actor(tmp_path: Path) -> None:
    def job(functions: Functions) -> None:
        functions.tell("alerts", RaiseAlert(draft=DRAFT))
        while not functions.alerts():
            pass
        (alert,) = functions.alerts()
        assert alert.title == "Look here"
        assert "acknowledged" in functions.ack(alert.id)
        assert functions.alerts()[0].acked_at is not None

    attached(tmp_path, job)


@pytest.mark.parametrize(
    ("path", "message", "fields", "said"),
    [
        ("ledgr", "FindRows", {}, "no actor at 'ledgr': did you mean ledger? `tree` shows all"),
        (
            "ledger",
            "FindRow",
            {},
            "no message is called 'FindRow': did you mean FindRows? it takes",
        ),
        ("ledger", "ReadQuote", {}, "this actor takes no ReadQuote: "),
        ("ledger", "CloseRows", {}, "CloseRows is not for operators: "),
        ("ledger", "FindRows", {"symbl": "B"}, "no field 'symbl': did you mean symbol? it has "),
        ("ledger", "FindRows", {"limit": "many"}, "FindRows: Expected `int | null`, got `str`"),
        ("ledger", "GetState", {"x": 1}, "GetState has no field 'x': it has none"),
        ("alerts", "AckAlert", {}, "AckAlert: Object missing required field `alert_id`"),
        ("alerts", "RaiseAlert", {"draft": {"type": "x"}}, "Invalid enum value 'x' - at `$.draft"),
    ],
)
def test_a_mistake_is_refused_in_one_line_that_says_what_next(
    tmp_path: Path, path: str, message: str, fields: dict[str, object], said: str
) -> None:
    def job(functions: Functions) -> None:
        for send in (functions.ask, functions.tell):
            code, text = refusal(lambda send=send: send(path, message, **fields))  # type: ignore[misc]  # a lambda's default
            assert code is ExitCode.REFUSED
            assert said in text

    attached(tmp_path, job)


def test_questions_are_asked_and_news_is_told(tmp_path: Path) -> None:
    def job(functions: Functions) -> None:
        assert "`ask` it" in refusal(lambda: functions.tell("ledger", "GetState"))[1]
        ask = refusal(lambda: functions.ask("alerts", RaiseAlert(draft=DRAFT)))
        assert "`tell` it" in ask[1]

    attached(tmp_path, job)


def test_no_message_that_writes_rows_orders_or_leases_can_be_sent() -> None:
    forbidden = {
        "CloseRows", "CommitIntent", "UpdateIntent", "CloseLeg", "PlaceStop", "CleanUp", "SetStop",
        "AcquireLease", "RenewLease", "ReleaseLease", "LeaseLost", "SaveAged", "DropAged",
        "SaveOrphan", "DropOrphan", "StreamHint", "Count", "AppendEvent",
    }  # fmt: skip
    assert not forbidden & set(SENDABLE)


def test_what_an_actor_takes_is_listed_with_fields_and_replies(tmp_path: Path) -> None:
    def job(functions: Functions) -> None:
        known = {info.name: info for info in functions.messages("ledger")}
        assert "JudgeLeg" not in known
        assert known["FindRows"].reply == "tuple[PositionRow, ...]"
        fields = {field.name: field.type for field in known["FindRows"].fields}
        assert fields["limit"] == "int | None"
        everything = {info.name for info in functions.messages()}
        assert everything == set(SENDABLE)

    attached(tmp_path, job)


def test_tab_offers_paths_messages_and_the_fields_not_yet_said(tmp_path: Path) -> None:
    def job(functions: Functions) -> None:
        add_row(functions)
        assert offered(functions, 'dump("le') == ["ledger"]
        assert "alerts" in offered(functions, 'tell("')
        assert offered(functions, 'ask("ledger", "FindR') == ["FindRows"]
        assert offered(functions, 'tell("alerts", "A') == ["AckAlert"]
        fields = offered(functions, 'ask("ledger", "FindRows", symbol="BTC", ')
        assert "limit=" in fields
        assert "symbol=" not in fields
        assert offered(functions, 'ask("ledger", "FindRows", st') == ["status="]
        assert offered(functions, 'why("B') == ["BTCUSDT"]
        assert offered(functions, 'scan("') == ["a"]
        assert offered(functions, "1 + ") == []

    attached(tmp_path, job)


def test_the_shells_tab_offers_the_same_and_nothing_without_a_service(tmp_path: Path) -> None:
    config = tmp_path / "sexton.toml"

    def job(functions: Functions) -> None:
        add_row(functions)
        text = f'[control]\nsocket = "{functions.socket}"\n'
        config.write_text(config.read_text(encoding="utf-8") + "\n" + text, encoding="utf-8")
        assert paths(config, "al") == ["alerts"]
        assert message_names(config, "ledger", "FindRo") == ["FindRows"]
        assert symbols(config, "") == ["BTCUSDT"]
        assert accounts(config, "") == ["a"]

    attached(tmp_path, job)
    assert paths(config, "") == []
    assert paths(tmp_path / "none.toml", "") == []


def test_a_close_that_is_not_confirmed_closes_nothing(tmp_path: Path) -> None:
    def job(functions: Functions) -> None:
        add_row(functions)
        assert functions.close("BTCUSDT") == "nothing was closed"
        # Nobody is connected to a venue here, which only a close that was sent finds out.
        assert refusal(lambda: functions.close("BTCUSDT", yes=True))[0] is ExitCode.REFUSED
        assert "no side 'up'" in refusal(lambda: functions.close("BTCUSDT", "up"))[1]

    attached(tmp_path, job)


def test_nobody_at_the_terminal_confirms_nothing(tmp_path: Path) -> None:
    functions = Functions(tmp_path / "s")
    assert "yes=True" in refusal(lambda: functions.close("BTCUSDT"))[1]


def test_help_shows_every_function_with_an_example(tmp_path: Path) -> None:
    functions = Functions(tmp_path / "s")
    shown = functions.help()
    for function in functions.all():
        assert f"  {function.__name__} " in shown
        if function.__name__ != "help":
            assert f"{function.__name__}(" in str(function.__doc__).partition("  ")[2]
    assert shown.count("\n") > 2 * len(functions.all()) - 2
    assert "symbol: str" in functions.help(functions.close)
    assert "FindRows" in functions.help(FindRows)


def test_code_shows_what_each_expression_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def job(functions: Functions) -> None:
        add_row(functions)
        code = "rows = positions(); rows; [row.side for row in rows]; events(); suspend('alerts')"
        assert Batch(functions.namespace()).run(code) is ExitCode.OK

    attached(tmp_path, job)
    lines = capsys.readouterr().out.splitlines()
    assert "BTCUSDT" in lines[1]
    assert lines[2:4] == ["[", '  "long"']
    assert lines[-1] == "alerts is suspended; `resume` lets it go on"


def test_code_can_answer_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def job(functions: Functions) -> None:
        add_row(functions)
        Batch(functions.namespace(), as_json=True).run("positions()")

    attached(tmp_path, job)
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["symbol"], row["quantity"]) == ("BTCUSDT", "0.5")


def test_code_ends_at_the_first_refusal_with_the_commands_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def job(functions: Functions) -> None:
        batch = Batch(functions.namespace())
        assert batch.run("dump('nowhere'); status()") is ExitCode.REFUSED

    attached(tmp_path, job)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "no actor at 'nowhere': see `tree`\n"


def test_a_mistake_in_python_shows_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    functions = Functions(tmp_path / "s")
    assert Batch(functions.namespace()).run("1/0; print('on')") is ExitCode.REFUSED
    captured = capsys.readouterr()
    assert "ZeroDivisionError" in captured.err
    assert captured.out == ""
    assert refusal(lambda: Batch({}).run("1 +"))[0] is ExitCode.USAGE


def test_the_repl_without_a_service_is_one_line(tmp_path: Path) -> None:
    config = tmp_path / "sexton.toml"
    config.write_text(CONFIG, encoding="utf-8")
    code, text = refusal(lambda: repl_from_cli(config, code="tree()", as_json=False))
    assert code is ExitCode.NO_SERVICE
    assert "start it with: python supervisor.py run" in text
    text = refusal(lambda: repl_from_cli(config, code=str(config), as_json=False))[1]
    assert f"say --config {config}" in text


def test_fields_on_a_command_line_are_texts_nested_by_dots_or_json() -> None:
    texts = ("a=1", "key.side=long", "key.account=x=y", 'list=["b"]', "empty=")
    assert fields_from(texts) == {
        "a": "1",
        "key": {"side": "long", "account": "x=y"},
        "list": ["b"],
        "empty": "",
    }
    for wrong in ("a", "=1", "a=[1", "a.b=1"):
        code, _ = refusal(lambda wrong=wrong: fields_from(("a=1", wrong)))  # type: ignore[misc]  # a lambda's default
        assert code is ExitCode.USAGE
