"""The demo's mailbox keeps every message, shows it harmlessly, and answers this machine only."""

import smtplib
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from embedded import EmbeddedError, mailbox
from embedded.mailbox import Mailbox


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Mailbox]:
    with Mailbox(tmp_path / "mail") as made:
        yield made


def send(box: Mailbox, subject: str = "Dina biljetter", *, to: str = "kim@example.org", html: str = "") -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "Foyer <tickets@localhost>", to
    message.set_content("Hej Kim!\n\nDin order: http://localhost:8000/orders/a?b=1&c=2.\n<script>alert(1)</script>\n")
    if html:
        message.add_alternative(html, subtype="html")
        [_, body] = message.iter_parts()
        assert isinstance(body, EmailMessage)
        body.add_related(b"\x89PNG", maintype="image", subtype="png", cid="<logo>")
    message.add_attachment(b"%PDF-1.7 biljett", maintype="application", subtype="pdf", filename="biljett å.pdf")
    with smtplib.SMTP("127.0.0.1", box.smtp_port, timeout=10) as server:
        server.send_message(message, to_addrs=[to, "blind@example.org"])


def get(box: Mailbox, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(f"http://127.0.0.1:{box.http_port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def test_a_message_is_kept_whole(box: Mailbox) -> None:
    send(box, "Överlämningsgasque: dina biljetter", html="<h1>Hej</h1><img src='cid:logo'>")

    [message] = box.messages()
    assert message.subject == "Överlämningsgasque: dina biljetter"
    assert message.sender == "Foyer <tickets@localhost>"
    assert message.recipients == ["kim@example.org", "blind@example.org"]
    assert message.text.startswith("Hej Kim!\n")
    assert message.html.startswith("<h1>Hej</h1><img src='parts/")
    assert [(name, content) for _, name, content in message.attachments] == [("biljett å.pdf", b"%PDF-1.7 biljett")]
    assert message.path.suffix == ".eml"


def test_messages_come_newest_first_and_by_recipient(box: Mailbox) -> None:
    for number, who in enumerate(["kim", "robin", "Kim.Andersson"]):
        send(box, f"Mejl {number}", to=f"{who}@example.org")

    assert [message.subject for message in box.messages()] == ["Mejl 2", "Mejl 1", "Mejl 0"]
    assert [message.subject for message in box.messages("KIM")] == ["Mejl 2", "Mejl 0"]
    assert [message.subject for message in box.messages("nobody")] == []

    status, _, page = get(box, "/?to=robin")
    assert status == 200
    assert "Mejl 1" in page and "Mejl 0" not in page


def test_messages_outlive_the_mailbox_and_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "KEPT", 2)
    with Mailbox(tmp_path) as box:
        for number in range(3):
            send(box, f"Mejl {number}")

    with Mailbox(tmp_path) as box:
        assert [message.subject for message in box.messages()] == ["Mejl 2", "Mejl 1"]
        box.clear()
        assert box.messages() == []


def test_a_message_cannot_harm_the_page_that_shows_it(box: Mailbox) -> None:
    send(box, "<b>Bold</b>", html="<script>alert(1)</script><a href='http://localhost:8000/'>order</a>")
    [message] = box.messages()

    _, headers, page = get(box, f"/messages/{message.name}")
    assert "<b>Bold" not in page and "&lt;b&gt;Bold" in page
    assert "<script>" not in page
    assert "<a href='http://localhost:8000/orders/a?b=1&amp;c=2'" in page
    assert "sandbox='allow-popups allow-popups-to-escape-sandbox'" in page
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")

    _, headers, framed = get(box, f"/messages/{message.name}/html")
    assert framed.startswith('<base target="_blank"><script>')
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_attachments_and_images_of_a_message_are_served(box: Mailbox) -> None:
    send(box, html="<img src='cid:logo'>")
    [message] = box.messages()

    [(number, _, content)] = message.attachments
    status, headers, body = get(box, f"/messages/{message.name}/parts/{number}")
    assert (status, body) == (200, content.decode())
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''biljett%20%C3%A5.pdf"
    assert headers["Content-Type"] == "application/octet-stream"

    image = message.html.split("'")[1]
    request = urllib.request.urlopen(f"http://127.0.0.1:{box.http_port}/messages/{message.name}/{image}", timeout=10)
    assert (request.headers["Content-Type"], request.read()) == ("image/png", b"\x89PNG")


@pytest.mark.parametrize(
    "path",
    ["/messages/nope", "/messages/..%2f..%2fsecrets", "/messages/../../secrets.json", "/other", "/messages/1-a/html"],
)
def test_what_is_not_there_is_not_found(box: Mailbox, path: str) -> None:
    assert get(box, path)[0] == 404


def test_a_foreign_name_for_this_machine_is_refused(box: Mailbox) -> None:
    send(box, "Hemligt")

    status, _, page = get(box, "/", Host="evil.example:8025")

    assert status == 403
    assert "Hemligt" not in page


def test_a_busy_port_is_one_sentence(box: Mailbox, tmp_path: Path) -> None:
    for ports in ({"smtp_port": box.smtp_port}, {"http_port": box.http_port}):
        with pytest.raises(EmbeddedError, match="The mailbox cannot open port"):
            Mailbox(tmp_path / "another", **ports).start()


def test_a_message_that_cannot_be_written_is_not_accepted(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)

    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(box)

    assert refused.value.smtp_code == 452
    assert box.messages() == []
