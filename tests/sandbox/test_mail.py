from email.message import EmailMessage

import pytest
import urllib3

from sandbox.mail import newest
from sandbox.server import Sandbox

DASHES = b"-" * 79


def write(folder, name, *messages):
    """As Django's file-based backend does."""
    raw = b"".join(each + b"\n" + DASHES + b"\n" for each in messages)
    (folder / name).write_bytes(raw)


def message(subject="Hello", text="A line.\n", date="Sat, 21 Nov 2026 10:00:00 +0000"):
    made = EmailMessage()
    made["Subject"], made["From"], made["To"], made["Date"] = subject, "us@example.com", "them@example.com", date
    made.set_content(text)
    return made


def test_a_message_is_read_back(tmp_path):
    write(tmp_path, "a.log", message("Grüße", "Erste Zeile\nZweite – Zeile\n").as_bytes())
    mail = newest(tmp_path)[0]
    assert (mail.subject, mail.to, mail.text) == ("Grüße", "them@example.com", "Erste Zeile\nZweite – Zeile\n")


def test_the_newest_comes_first_within_a_file_and_between_files(tmp_path):
    day = "Sat, 21 Nov 2026 {}:00:00 +0000"
    write(tmp_path, "a.log", message("2", date=day.format(11)).as_bytes(), message("4", date=day.format(13)).as_bytes())
    write(tmp_path, "b.log", message("3", date=day.format(12)).as_bytes(), message("1", date=day.format(10)).as_bytes())
    assert [mail.subject for mail in newest(tmp_path)] == ["4", "3", "2", "1"]


def test_messages_of_one_second_come_latest_written_first(tmp_path):
    write(tmp_path, "a.log", message("first").as_bytes(), message("second").as_bytes())
    assert [mail.subject for mail in newest(tmp_path)] == ["second", "first"]


def test_of_a_message_in_two_forms_the_text_is_read(tmp_path):
    both = message(text="The text form.\n")
    both.add_alternative("<p>The other form.</p>", subtype="html")
    write(tmp_path, "a.log", both.as_bytes())
    assert newest(tmp_path)[0].text == "The text form.\n"


def test_a_message_without_text_says_so(tmp_path):
    html = EmailMessage()
    html["Subject"] = "Only HTML"
    html.set_content("<p>Hello</p>", subtype="html")
    write(tmp_path, "a.log", html.as_bytes())
    assert newest(tmp_path)[0].text == "This message has no text part."


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no headers at all",
        b"Subject: x\nDate: yesterday\n\ntext",
        b"Subject: =?utf-8?b?####?=\nTo: <<<>>>\n\n\xff\xfe",
        b"Content-Type: text/plain; charset=martian\n\nhello",
        b"Content-Type: multipart/mixed; boundary=x\n\n--y",
    ],
)
def test_a_broken_message_breaks_no_page(tmp_path, raw):
    write(tmp_path, "a.log", raw, message("whole").as_bytes())
    assert "whole" in [mail.subject for mail in newest(tmp_path)]


def test_a_message_still_being_written_is_left_for_later(tmp_path):
    (tmp_path / "a.log").write_bytes(message("half").as_bytes()[:40])
    assert newest(tmp_path) == []


def test_a_folder_that_is_not_there_yet_holds_no_mail(tmp_path):
    assert newest(tmp_path / "later") == []


def test_the_page_shows_text_as_text_with_links_and_no_html(tmp_path):
    folder = tmp_path / "mail"
    folder.mkdir()
    text = "<b>bold</b> <script>x</script> see http://localhost:8000/admin/ now\n"
    write(folder, "a.log", message("<i>Subject</i>", text).as_bytes())
    with Sandbox(tmp_path / "box", mail_folder=folder) as box:
        html = urllib3.request("GET", f"{box.pages_origin}/control/mail/").data.decode()
    assert "<script>x" not in html
    assert "<b>bold" not in html
    assert "&lt;i&gt;Subject" in html
    assert '<a href="http://localhost:8000/admin/"' in html
