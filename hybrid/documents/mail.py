"""Mail (EML, mailboxes) and saved pages (MHTML): what is written in it, and which files hang on it."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder, one_line
from hybrid.documents.encoding import labelled_codecs
from hybrid.documents.html import add_page, parse
from hybrid.documents.source import MEGABYTE, SourceFile, Unreadable
from hybrid.documents.text import decode
from hybrid.types import BlockKind, Document, LeftOut, Rejected

_HEADS = ("From", "To", "Cc", "Date")
_PAGES = (".mht", ".mhtml")
# What a page is drawn with, and a second form of what a message says.
_MACHINERY = ("text/css", "application/javascript", "text/javascript", "text/x-amp-html")
# Text that is written for another program.
_OTHER_READERS = ("text/calendar", "text/rtf", "text/enriched", "text/vcard", "text/x-vcard")
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEALED = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_MAX_DEPTH = 8
# What a mail program shows to nobody any more, until it makes the file anew.
_DELETED = re.compile(
    rb"^(?i:X-Mozilla-Status: *[0-9a-f]{3}[89a-f]|X-Status:(?-i:[ \t]*[A-Z]*D[A-Z]*))\s*$", re.MULTILINE
)
# Labels that programs put on texts without asking what is in them.
_THOUGHTLESS = ("cp1252", "iso8859-15")
# A form of so much of the longest one says the same, but for what is drawn.
_AS_MUCH = 0.9


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a message, or of a page that was saved with its parts."""
    is_page = file.path.suffix.lower() in _PAGES
    yield _document(file.source, file.path.read_bytes(), settings, is_page=is_page)


def read_box(file: SourceFile, settings: DocumentSettings) -> Iterator[Document | Rejected]:
    """Yield one document or one reason a message of a mailbox; its source is ``path#number``, from 1."""
    number = deleted = 0
    held: Document | Rejected | None = None
    for number, data in enumerate(_messages(file, settings), start=1):
        if _DELETED.search(data.replace(b"\r\n", b"\n").partition(b"\n\n")[0]):
            deleted += 1
            continue
        yield from filter(None, [held])
        held = _one_of_many(f"{file.source}#{number}", data, settings)
    if not number:
        raise Unreadable("no message in it: a mailbox begins with `From ` and who sent the first one")
    if held is None:
        raise Unreadable("its messages are all deleted: the mail program shows none of them")
    # the last one says what is to be said of the mailbox
    if deleted and isinstance(held, Document):
        held = replace(held, left_out=(*held.left_out, LeftOut("deleted message", deleted)))
    elif deleted and isinstance(held, Rejected):
        held = replace(held, reason=f"{held.reason}; deleted messages of its mailbox: {deleted:,}")
    yield held


def _one_of_many(source: str, data: bytes, settings: DocumentSettings) -> Document | Rejected:
    """Return a message or why it cannot be read: one costs itself and never the rest of the mailbox."""
    try:
        return _document(source, data, settings)
    except Unreadable as error:
        return Rejected(source, str(error))
    except RecursionError:
        return Rejected(source, "damaged or hostile: its structure is nested too deeply")
    except (ValueError, LookupError, TypeError, AttributeError, MessageError) as error:
        return Rejected(source, f"damaged: {type(error).__name__}: {one_line(str(error))[:200]}")


def _messages(file: SourceFile, settings: DocumentSettings) -> Iterator[bytes]:
    """Yield the messages of a mailbox; of one above the limit no more than shows that it is."""
    limit = settings.max_megabytes * MEGABYTE
    lines: list[bytes] | None = None
    size, before = 0, b"\n"
    with file.path.open("rb") as stream:
        while line := stream.readline(MEGABYTE):
            if line.startswith(b"From ") and not before.strip():
                if lines is not None:
                    yield b"".join(lines)
                lines, size = [], 0
            elif lines is not None and size <= limit:
                # a line that began so was marked when it was stored
                lines.append(
                    line[1:] if line.lstrip(b">").startswith(b"From ") and line[:1] == b">" else line
                )
                size += len(line)
            before = line
    if lines is not None:
        yield b"".join(lines)


def _document(source: str, data: bytes, settings: DocumentSettings, *, is_page: bool = False) -> Document:
    if len(data) > settings.max_megabytes * MEGABYTE:
        raise Unreadable(f"a message of more than the limit of {settings.max_megabytes:,g} MB")
    builder = TextBuilder(settings.max_characters)
    message = message_from_bytes(data)
    if not message.keys():
        raise Unreadable("damaged: no message, it has no line such as `From:` or `Subject:`")
    if not is_page:
        _add_heads(builder, message)
    _add_part(builder, message, 0)
    author = {} if is_page else {"author": _head(message, "From"), "date": _head(message, "Date")}
    return builder.document(source, title=_head(message, "Subject"), metadata=author)


def _head(message: Message, name: str) -> str:
    """Return a line of the head as it is shown."""
    said = next((str(line) for key, line in message.raw_items() if key.lower() == name.lower()), "")
    if not said.isascii():  # letters that were not encoded as mail wants it
        data = said.encode("utf-8", "surrogateescape")
        try:
            said = data.decode()
        except UnicodeDecodeError:
            said = data.decode("cp1252", "replace")
    try:
        return one_line(str(make_header(decode_header(said))))
    except (LookupError, ValueError, MessageError):  # damaged, or of an encoding that nobody knows
        return one_line(said)


def _add_heads(builder: TextBuilder, message: Message) -> None:
    builder.add(BlockKind.HEADING, _head(message, "Subject"), level=1)
    heads = ((name, _head(message, name)) for name in _HEADS)
    builder.add(BlockKind.LIST, "\n".join(f"{name}: {said}" for name, said in heads if said))


def _add_part(builder: TextBuilder, part: Message, depth: int) -> None:
    """Append what a part says; a file that hangs on the message is told."""
    kind = part.get_content_type()
    if depth > _MAX_DEPTH:
        builder.leave_out("attached file", lost=True)
    elif kind == "multipart/encrypted" or (kind in _SEALED and part.get_param("smime-type") != "signed-data"):
        raise Unreadable("encrypted: the message was written for the key of somebody; save it decrypted")
    elif part.is_multipart():
        inner = [one for one in part.get_payload() if isinstance(one, Message)]
        if kind == "multipart/alternative":
            inner = _best(builder, inner)
        for one in inner:
            if kind == "message/rfc822":
                _add_heads(builder, one)
            elif kind == "message/delivery-status":
                builder.add(BlockKind.LIST, "\n".join(f"{name}: {_head(one, name)}" for name in one))
            _add_part(builder, one, depth + 1)
    elif _hangs(part):
        _tell(builder, part, kind)
    else:
        _add_text(builder, _text(part), is_page=kind == "text/html")


def _add_text(builder: TextBuilder, text: str, *, is_page: bool) -> None:
    if is_page and text.strip():
        add_page(builder, parse(builder, codecs.BOM_UTF8 + text.encode("utf-8", "replace")))
    elif not is_page:
        for paragraph in text.replace("\r\n", "\n").split("\n\n"):
            builder.add(BlockKind.PARAGRAPH, paragraph)


def _best(builder: TextBuilder, forms: list[Message]) -> list[Message]:
    """Return the form of a message that says most, the richest of those that say as much; others are told."""
    for one in forms:
        if not _says(one):  # an invitation, say
            _tell(builder, one, one.get_content_type())
    forms = list(filter(_says, forms))
    lengths = [_length(one) for one in forms]
    best = max(range(len(forms)), key=lambda at: (lengths[at] > _AS_MUCH * max(lengths), at), default=0)
    for form, length in zip(forms, lengths, strict=True):
        if form is not forms[best]:
            builder.leave_out("other form of the message", length)
            for part in filter(_hangs, form.walk()):  # files hang on one form alone
                _tell(builder, part, part.get_content_type())
    return forms[best : best + 1]


def _length(form: Message) -> int:
    """Return how many letters a form of a message says."""
    texts = (_text(one) for one in form.walk() if not one.is_multipart() and not _hangs(one))
    return sum(
        len(re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>|\W", "", text, flags=re.I | re.S)) for text in texts
    )


def _says(part: Message) -> bool:
    """Return whether a part is text to be read, or may hold some."""
    kind = part.get_content_type()
    return part.is_multipart() or (kind.startswith("text/") and kind not in (*_MACHINERY, *_OTHER_READERS))


def _hangs(part: Message) -> bool:
    """Return whether a part is a file that comes with a message and is not read."""
    return not _says(part) or (part.get_content_disposition() == "attachment" and not part.is_multipart())


def _tell(builder: TextBuilder, part: Message, kind: str) -> None:
    if kind in _MACHINERY or kind in ("application/pgp-signature", "application/pkcs7-signature"):
        return
    is_shown = kind.startswith(("image/", "font/")) and part.get_content_disposition() != "attachment"
    builder.leave_out("image" if is_shown else "attached file", lost=not is_shown)


def _text(part: Message) -> str:
    data = part.get_payload(decode=True)
    data = data if isinstance(data, bytes) else b""
    charset = part.get_content_charset("")
    # programs say ISO-8859-1 where they write the quotes and the euro of Windows, and browsers know it
    names = () if data.startswith(_MARKS) else (*labelled_codecs(charset), charset)
    names = ("utf-8", *names) if names[:1] and names[0] in _THOUGHTLESS else names
    for codec in filter(None, names):
        with contextlib.suppress(LookupError, ValueError):
            return data.decode(codec)
    return decode(data) if data else ""
