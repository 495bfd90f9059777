import logging
import multiprocessing
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection, Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

SPAWN = multiprocessing.get_context("spawn")
MESSAGES_EACH = 150


def connect(folder: Path) -> Connection:
    TRANSPORT_ALIASES["files"] = "config.broker:Transport"
    return Connection(
        "files://localhost//",
        transport_options={
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "control_folder": str(folder / "control"),
            "polling_interval": 0.01,
        },
    )


@pytest.fixture
def connection(tmp_path):
    with connect(tmp_path) as connection:
        yield connection


@pytest.fixture
def queue(connection):
    queue = connection.SimpleQueue("jobs")
    yield queue
    queue.close()


def waiting(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "queue").iterdir())


def send(folder: Path, sender: int) -> None:
    with connect(folder) as connection:
        queue = connection.SimpleQueue("jobs")
        for number in range(MESSAGES_EACH):
            queue.put(f"{sender}-{number}")
        queue.close()


def receive(folder: Path, finished, received) -> None:
    with connect(folder) as connection:
        queue = connection.SimpleQueue("jobs")
        while True:
            last_round = finished.is_set()
            try:
                message = queue.get(timeout=0.1)
            except Empty:
                if last_round:
                    break
                continue
            message.ack()
            received.put(message.payload)
        queue.close()
    received.put(None)


@pytest.mark.processes
def test_what_many_processes_send_at_once_many_receive_once_each(tmp_path):
    finished, received = SPAWN.Event(), SPAWN.Queue()
    receivers = [SPAWN.Process(target=receive, args=(tmp_path, finished, received)) for _ in range(3)]
    senders = [SPAWN.Process(target=send, args=(tmp_path, number)) for number in range(3)]
    for process in receivers + senders:
        process.start()
    for process in senders:
        process.join(30)
    finished.set()
    arrived, still_receiving = [], len(receivers)
    while still_receiving:
        payload = received.get(timeout=30)
        if payload is None:
            still_receiving -= 1
        else:
            arrived.append(payload)
    for process in receivers:
        process.join(30)

    assert {process.exitcode for process in receivers + senders} == {0}
    assert sorted(arrived) == sorted(f"{sender}-{number}" for sender in range(3) for number in range(MESSAGES_EACH))
    assert waiting(tmp_path) == []


def test_messages_arrive_in_the_order_they_were_sent(queue):
    for number in range(5):
        queue.put(number)
    assert [queue.get(timeout=1).payload for _ in range(5)] == [0, 1, 2, 3, 4]


def test_a_message_of_an_earlier_boot_is_not_overtaken(queue, tmp_path):
    queue.put("first")
    (message,) = (tmp_path / "queue").glob("*.msg")
    moment, rest = message.name.split("_", 1)
    message.rename(message.with_name(f"{int(moment) - 10**9:020}_{rest}"))
    queue.put("second")
    assert queue.get(timeout=1).payload == "first"


def test_a_message_nobody_acknowledged_returns_when_the_channel_closes(connection, tmp_path):
    with connection.channel() as channel:
        leaving = connection.SimpleQueue(Queue("jobs", Exchange("jobs"), "jobs", channel=channel), channel=channel)
        leaving.put("unfinished")
        leaving.get(timeout=1)
        assert waiting(tmp_path) == []
    assert len(waiting(tmp_path)) == 1


@pytest.mark.parametrize("content", [b"", b'{"body": ', b"[]", b"\xff\xfe"], ids=["empty", "half", "foreign", "binary"])
def test_an_unreadable_message_is_set_aside_and_stops_nobody(queue, tmp_path, caplog, content):
    stray = tmp_path / "queue" / "00000000000000000001_stray.jobs.msg"
    stray.write_bytes(content)
    queue.put("good")
    with caplog.at_level(logging.WARNING, logger="config.broker"):
        assert queue.get(timeout=1).payload == "good"
    assert waiting(tmp_path) == [f"{stray.name}.unreadable"]
    assert "set aside unreadable broker file" in caplog.text


def test_a_message_still_being_written_is_not_seen(queue, tmp_path):
    (tmp_path / "queue" / ".00000000000000000001_stray.jobs.msg.part").write_text('{"body"')
    with pytest.raises(Empty):
        queue.get(timeout=0.05)
    assert queue.qsize() == 0


def test_size_and_purge_count_their_own_queue_only(connection, queue):
    other = connection.SimpleQueue("other")
    queue.put("a")
    queue.put("b")
    other.put("c")
    assert (queue.qsize(), other.qsize()) == (2, 1)
    assert queue.clear() == 2
    assert (queue.qsize(), other.qsize()) == (0, 1)
    other.close()


def test_an_emptied_table_of_bindings_is_written_anew(tmp_path):
    with connect(tmp_path) as connection:
        connection.SimpleQueue("jobs").close()
    (tmp_path / "control" / "jobs.exchange").write_text("")
    with connect(tmp_path) as connection:
        queue = connection.SimpleQueue("jobs")
        queue.put("good")
        assert queue.get(timeout=1).payload == "good"
        queue.close()


def test_a_deleted_queue_receives_nothing_more(connection, queue, tmp_path):
    queue.put("lost with its queue")
    queue.queue.delete()
    assert waiting(tmp_path) == []
    assert (tmp_path / "control" / "jobs.exchange").read_text() == "[]"
