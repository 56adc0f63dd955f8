"""Material for the benchmarks, made from texts that the caller names.

``write_texts`` gives a folder of plain text files that is split into a given number of chunks;
``write_passages`` gives JSON lines of short passages, each a document of its own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.chunking import chunk_document
from hybrid.config import load_settings
from hybrid.documents import SourceFile, read, scan
from hybrid.models import Embedder
from hybrid.text.sentences import sentence_spans
from hybrid.types import Document

# A passage: one or two sentences, 30 to 40 tokens.
_PASSAGE_WORDS = 14
_LONGEST_SENTENCE = 30
_SHORTEST_SENTENCE = 5
# A sequence of bases or a long address is one word, but many tokens.
_LONGEST_WORD = 40
_QUESTION_WORDS = range(8, 21)
_SHORTEST_VALUE = 40
# As many rows as fit comfortably below the limit on the size of a file.
_ROWS_PER_FILE = 10_000
# Each passage says in which of so many equal parts it is, as metadata ``of_2`` and so on, to filter by.
PARTS = (2, 10, 100)


@dataclass(frozen=True, slots=True)
class TextCorpus:
    """What was written: files, characters of source text, and the text of every chunk as embedded."""

    files: int
    characters: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PassageCorpus:
    """What was written: passages, how many of them are recombined of which sentences, and questions."""

    passages: int
    recombined: int
    words: int
    questions: tuple[str, ...]
    sentences: tuple[str, ...]


def write_texts(sources: Sequence[Path], target: Path, *, chunks: int, embedder: Embedder) -> TextCorpus:
    """Write files of the sources as plain text until they are split into so many chunks.

    Every system that is measured reads these files: what one of them does better at HTML or PDF is
    another question. Plain text is copied as it is.
    """
    settings = load_settings()
    target.mkdir(parents=True)
    texts: list[str] = []
    files = characters = 0
    for document, original in _documents(sources):
        if len(texts) >= chunks:
            break
        path = target / f"{files:05d}.txt"
        path.write_text(original, encoding="utf-8")
        written = _only_document(path)
        if written is None:
            path.unlink()
            continue
        sized = chunk_document(written, embedder, settings.chunks, max_tokens=embedder.max_tokens)
        texts.extend(item.chunk.embedded_text for item in sized)
        characters += len(document.text)
        files += 1
    return TextCorpus(files, characters, tuple(texts))


def write_passages(
    sources: Sequence[Path], target: Path, *, passages: int, questions: int, seed: int, most: int = 0
) -> PassageCorpus:
    """Write so many different passages as rows, and draw sentences that serve as questions.

    Args:
        sources: folders and files with texts.
        target: the folder to write.
        passages: how many; where the sources have fewer, pairs of their sentences are joined.
        questions: how many.
        seed: of what is drawn.
        most: use so many sentences of the sources at the most, drawn evenly; 0 uses all.
    """
    generator = random.Random(seed)
    sentences = list(dict.fromkeys(_sentences(sources)))
    if not sentences:
        raise SystemExit("the sources hold no sentences")
    if 0 < most < len(sentences):
        sentences = [sentences[place * len(sentences) // most] for place in range(most)]
    rows = list(dict.fromkeys(_passages(sentences)))[:passages]
    known = set(rows)
    original = len(rows)
    while len(rows) < passages:
        pair = " ".join(generator.sample(sentences, 2))
        if pair not in known:
            known.add(pair)
            rows.append(pair)
    generator.shuffle(rows)
    target.mkdir(parents=True)
    for number, start in enumerate(range(0, len(rows), _ROWS_PER_FILE)):
        with (target / f"{number:03d}.jsonl").open("w", encoding="utf-8") as stream:
            for place, row in enumerate(rows[start : start + _ROWS_PER_FILE]):
                parts = {f"of_{parts}": str(place % parts) for parts in PARTS}
                stream.write(json.dumps({"text": row, **parts}, ensure_ascii=False) + "\n")
    askable = [sentence for sentence in sentences if len(sentence.split()) in _QUESTION_WORDS]
    drawn = generator.sample(askable, min(questions, len(askable)))
    words = sum(len(row.split()) for row in rows)
    return PassageCorpus(len(rows), len(rows) - original, words, tuple(drawn), tuple(sentences))


def _files(sources: Sequence[Path]) -> Iterator[SourceFile]:
    settings = load_settings().documents
    for source in sources:
        yield from scan(source, settings).files


def _documents(sources: Sequence[Path]) -> Iterator[tuple[Document, str]]:
    """Yield every document with the text to write for it."""
    settings = load_settings().documents
    for file in _files(sources):
        for batch in read(file, settings):
            for item in batch.items:
                if isinstance(item, Document):
                    is_text = file.path.suffix.lower() == ".txt"
                    yield (
                        item,
                        file.path.read_text(encoding="utf-8", errors="replace") if is_text else item.text,
                    )


def _only_document(path: Path) -> Document | None:
    file = SourceFile(path.name, path, path.stat().st_size)
    items = [item for batch in read(file, load_settings().documents) for item in batch.items]
    return items[0] if len(items) == 1 and isinstance(items[0], Document) else None


def _sentences(sources: Sequence[Path]) -> Iterator[str]:
    for file in _files(sources):
        for text in _texts(file):
            for span in sentence_spans(text):
                words = text[span.start : span.end].split()
                fits = _SHORTEST_SENTENCE <= len(words) <= _LONGEST_SENTENCE
                if fits and max(map(len, words)) <= _LONGEST_WORD:
                    yield " ".join(words)


def _texts(file: SourceFile) -> Iterator[str]:
    """Yield the longer strings of every row, or the paragraphs of any other file."""
    if file.path.suffix.lower() == ".jsonl":
        for line in file.path.read_text(encoding="utf-8", errors="replace").split("\n"):
            if line.strip():
                yield from _strings(json.loads(line))
        return
    for batch in read(file, load_settings().documents):
        for item in batch.items:
            if isinstance(item, Document):
                yield from item.text.split("\n\n")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) >= _SHORTEST_VALUE:
            yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _passages(sentences: Sequence[str]) -> Iterator[str]:
    """Join a sentence with the next one where it is short."""
    held = ""
    for sentence in sentences:
        joined = f"{held} {sentence}".strip()
        if len(joined.split()) >= _PASSAGE_WORDS:
            yield joined
            held = ""
        else:
            held = joined
