"""Mail, mailboxes and saved pages."""

from email.message import EmailMessage

import pytest

from hybrid.types import Rejected


@pytest.fixture
def message():
    mail = EmailMessage()
    mail["From"], mail["To"] = "Anna Berg <anna@plant.example>", "ops@plant.example"
    mail["Subject"], mail["Date"] = "Shutdown in Köln", "Tue, 04 Jun 2024 09:12:00 +0200"
    mail.set_content("Hello all,\n\nit closes on 12 August für Größe L.\n\n> When?\n")
    return mail


HEADS = "From: Anna Berg <anna@plant.example>\nTo: ops@plant.example\nDate: Tue, 04 Jun 2024 09:12:00 +0200"


def test_a_message_is_its_heads_and_its_text(message, read_one, blocks_of):
    document = read_one("a.eml", bytes(message))
    assert document.title == "Shutdown in Köln"
    assert document.metadata["author"] == "Anna Berg <anna@plant.example>"
    assert blocks_of(document) == [
        ("heading", 1, "Shutdown in Köln"),
        ("list", 0, HEADS),
        ("paragraph", 0, "Hello all,"),
        ("paragraph", 0, "it closes on 12 August für Größe L."),
        ("paragraph", 0, "> When?"),
    ]
    assert not document.left_out


def test_the_richest_of_alternatives_is_read_once(message, read_one):
    rows = "<tr><th>Part</th><th>Days</th></tr><tr><td>Seal</td><td>12</td></tr>"
    message.add_alternative(
        f"<p>Hello all, it closes on 12 August für Größe L.</p><table>{rows}</table>", subtype="html"
    )
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo>")
    document = read_one("a.eml", bytes(message))
    assert document.text.endswith("closes on 12 August für Größe L.\n\nPart | Days\nSeal | 12")
    assert [(part.kind, part.lost) for part in document.left_out] == [
        ("other form of the message", False),
        ("image", False),
    ]


def test_a_form_that_says_less_is_not_read(message, read_one):
    message.add_alternative("<p>Your program cannot show this.</p>", subtype="html")
    document = read_one("a.eml", bytes(message))
    assert "Größe L" in document.text
    assert "cannot show" not in document.text
    assert [part.kind for part in document.left_out] == ["other form of the message"]


def test_a_message_within_is_read_and_a_file_that_hangs_on_it_is_told(message, read_one):
    inner = EmailMessage()
    inner["Subject"], inner["From"] = "Before", "bo@plant.example"
    inner.set_content("The code is 7741.")
    message.add_attachment(inner)
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="plan.pdf")
    message.add_attachment("a,b\n", subtype="csv", filename="rows.csv")
    document = read_one("a.eml", bytes(message))
    assert document.text.endswith("Before\n\nFrom: bo@plant.example\n\nThe code is 7741.")
    assert [(part.kind, part.count, part.lost) for part in document.left_out] == [("attached file", 2, True)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Subject: =?koi8-r?B?8NLJ18XU?=\n\nx", "Привет"),
        (b"Subject: =?nobody-knows?B?8NLJ?=\n\nx", "=?nobody-knows?B?8NLJ?="),
        (b"Subject: a\nContent-Type: text/plain; charset=iso-8859-1\n\nM\xfcller", "Müller"),
        (b"Subject: a\nContent-Type: text/plain; charset=nobody-knows\n\nM\xfcller", "Müller"),
        (b"Subject: a\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nSGVsbG8=", "Hello"),
    ],
)
def test_letters_are_read_as_they_were_meant(read_one, data, text):
    assert text in read_one("a.eml", data).text


def test_a_mailbox_is_a_document_a_message(message, read_items):
    other = b"Subject: Second\n\n>From the start it ran.\n>>From here on too.\n\nFrom them it came.\n"
    box = b"From anna Tue Jun  4 09:12:00 2024\n" + bytes(message) + b"\nFrom bo Wed Jun  5 2024\n" + other
    first, second = read_items("in.mbox", box)[:2]
    assert (first.source, first.title) == ("in.mbox#1", "Shutdown in Köln")
    assert second.text == "Second\n\nFrom the start it ran.\n>From here on too."


@pytest.mark.parametrize("mark", ["X-Mozilla-Status: 0009", "X-Status: RD"])
def test_what_was_deleted_in_a_mailbox_is_told_and_not_read(read_items, mark):
    box = "From - Mon Mar 04 10:00:00 2024\n{}\nSubject: {}\n\nText.\n\n".format
    kept, other = read_items(
        "a.mbox", box(mark, "gone") + box("X-Mozilla-Status: 0001", "a") + box("X: y", "b")
    )
    assert (kept.title, kept.left_out, kept.source) == ("a", (), "a.mbox#2")
    assert [(part.kind, part.count) for part in other.left_out] == [("deleted message", 1)]
    damaged = "From - Mon Mar 04 10:00:00 2024\nContent-Type: application/pkcs7-mime\n\nx\n"
    assert "deleted messages of its mailbox: 1" in read_items("c.mbox", box(mark, "gone") + damaged)[0].reason
    marks = ("X-Status: Delivered", "X-Status: Read", "X-Status: RO")
    assert len(read_items("d.mbox", "".join(box(other, "a") for other in marks))) == 3
    (none,) = read_items("b.mbox", box(mark, "gone"))
    assert "deleted" in none.reason


def test_files_that_hang_on_the_form_that_is_not_read_are_told(message, read_one):
    message.add_alternative("<p>Hello.</p>", subtype="html")
    message.get_payload()[1].add_related(b"%PDF", "application", "pdf", disposition="attachment")
    told = {part.kind: part.lost for part in read_one("a.eml", bytes(message)).left_out}
    assert told == {"other form of the message": False, "attached file": True}


def test_rich_text_within_a_message_is_a_file_and_no_text(message, read_one):
    message.add_attachment(b"{\\rtf1 x}", "text", "rtf", disposition="inline")
    document = read_one("a.eml", bytes(message))
    assert "rtf1" not in document.text
    assert [part.kind for part in document.left_out] == ["attached file"]


def test_a_saved_page_is_a_page(read_one):
    page = EmailMessage()
    page["From"], page["Subject"] = "<Saved by Blink>", "Warranty"
    page.set_content("<h1>Warranty</h1><p>It lasts 30 months.</p>", subtype="html")
    page.add_related(b"a{}", "text", "css", cid="<c>")
    document = read_one("a.mhtml", bytes(page))
    assert (document.title, document.text) == ("Warranty", "Warranty\n\nIt lasts 30 months.")
    assert not document.left_out


def test_what_a_server_says_of_a_delivery_is_read_and_an_empty_page_costs_nothing(read_one):
    parts = (
        "text/html\n\n",
        "message/delivery-status\n\nFinal-Recipient: rfc822;bo@x.example\nAction: failed\n",
    )
    body = "".join(f"--b\nContent-Type: {part}\n" for part in parts)
    data = f"Subject: Returned\nContent-Type: multipart/report; boundary=b\n\n{body}--b--\n"
    assert read_one("a.eml", data).text == "Returned\n\nFinal-Recipient: rfc822;bo@x.example\nAction: failed"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.eml", b"\n\nno head", "no message"),
        ("a.mbox", b"Subject: x\n\ntext", "no message"),
        (
            "a.eml",
            b"Subject: a\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--",
            "encrypted",
        ),
        ("a.eml", b"Subject: a\nContent-Type: application/pkcs7-mime\n\nMIAG", "encrypted"),
    ],
)
def test_what_cannot_be_read_costs_a_reason(read_one, name, data, reason):
    found = read_one(name, data)
    assert isinstance(found, Rejected)
    assert reason in found.reason


def test_messages_within_messages_end_somewhere(read_one):
    data = b"Subject: x\nContent-Type: message/rfc822\n\n" * 500 + b"Subject: y\n\ndeep"
    found = read_one("a.eml", data)
    assert isinstance(found, Rejected) or any(part.lost for part in found.left_out)


def test_a_message_above_the_limit_costs_itself(read_items):
    box = b"From a\nSubject: big\n\n" + b"x" * 3_000_000 + b"\n\nFrom b\nSubject: small\n\ny\n"
    big, small = read_items("a.mbox", box, max_megabytes=1)
    assert isinstance(big, Rejected)
    assert small.title == "small"


@pytest.mark.parametrize(
    "hostile",
    [
        b"Subject: =?utf-8?b?a?=\n\nlow\n",
        b"Subject: a\nContent-Type: text/plain; charset=undefined\n\nlow\n",
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(900)),
    ],
)
def test_a_damaged_message_costs_no_other_one(hostile, read_items):
    mails = (b"Subject: first\n\none\n", hostile, b"Subject: third\n\nthree\n")
    items = read_items("a.mbox", b"\n".join(b"From a@b Tue Jun  4 2024\n" + mail for mail in mails))
    assert [item.source[-2:] for item in items] == ["#1", "#2", "#3"]
    assert [items[0].title, items[2].title] == ["first", "third"]
    assert isinstance(items[1], Rejected) or "low" in items[1].text


def test_signs_of_windows_that_are_said_to_be_latin_are_read(read_one):
    head = b"Subject: a\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n"
    assert read_one("a.eml", head + b"\x84It\x93 costs 5 \x80.\n").text == "a\n\n„It“ costs 5 €."


@pytest.mark.parametrize("codec", ["utf-8", "cp1252"])
def test_letters_of_a_head_that_nobody_encoded_are_read(codec, read_one):
    assert read_one("a.eml", "Subject: Größe\n\nL\n".encode(codec)).title == "Größe"


def test_an_invitation_is_told(message, read_one):
    message.add_alternative("BEGIN:VCALENDAR", subtype="calendar")
    document = read_one("a.eml", bytes(message))
    assert "Größe L" in document.text
    assert [(part.kind, part.lost) for part in document.left_out] == [("attached file", True)]


@pytest.mark.parametrize("label", ["us-ascii", "ANSI_X3.4-1968", "iso-8859-1", "ISO-8859-15"])
def test_a_label_that_the_letters_belie_is_not_believed(read_one, label):
    head = f"Content-Type: text/plain; charset={label}\nContent-Transfer-Encoding: 8bit\n\n"
    assert read_one("a.eml", f"Subject: a\n{head}Büro\n".encode()).text == "a\n\nBüro"


def test_files_of_text_beside_the_form_that_is_not_read_are_told(message, read_one):
    message.add_attachment("n,kW", filename="a.csv")
    whole = EmailMessage()
    whole.set_content("<p>Hello all, it closes on 12 August für Größe L. When?</p>", subtype="html")
    whole.make_alternative()
    whole.get_payload().insert(0, message)
    left_out = read_one("a.eml", bytes(whole)).left_out
    assert ("attached file", True) in [(part.kind, part.lost) for part in left_out]
