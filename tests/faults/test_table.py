from typing import Any

from faults.table import Facts, Table


def test_a_table_without_rows_is_not_as_expected() -> None:
    assert not Table().all_ok


def test_nought_everywhere_is_as_expected() -> None:
    table = Table()
    table.judge("kill", Facts("nothing lost", {"lost alerts": 0}))
    assert table.all_ok


def test_one_wrong_number_is_named_and_spoils_the_table(capsys: Any) -> None:
    table = Table()
    table.judge("kill", Facts("nothing lost", {"lost alerts": 3, "doubled": 0}))
    table.judge("flush", Facts("nothing lost", {"lost alerts": 0}))
    assert not table.all_ok
    assert "lost alerts 3" in capsys.readouterr().out


def test_numbers_of_all_rounds_are_added_up(capsys: Any) -> None:
    table = Table()
    for lost in (1, 2):
        table.judge("kill", Facts("nothing lost", {"lost alerts": lost}))
    table.end()
    assert "lost alerts: 3" in capsys.readouterr().out


def test_what_stands_beside_spoils_nothing() -> None:
    table = Table()
    table.judge("kill", Facts("nothing lost", {"lost alerts": 0}))
    table.beside("plain design", "lost 40")
    assert table.all_ok
