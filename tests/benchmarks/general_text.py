"""Cut the excerpts of the general suite from SummEdits, so that everybody can see where they come from.

SummEdits (Laban et al. 2023, Apache-2.0) holds documents of five kinds. From those named below whole
sentences or turns are taken, from the given words on, until there are enough characters; layout is made
plain, words are not touched. Every sixth one is for early stopping while training, the others for the test.

    python tests/benchmarks/general_text.py FOLDER_OF_SUMMEDITS > hybrid/adaptation/suite/excerpts.jsonl
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

_CHARACTERS = 560
# file: document, and the words that its excerpt begins with
_EXCERPTS = {
    "news": {
        "63f9455b8d931ba6e664fb84": "Photos and videos of the demonstration",
        "63f9455b8d931ba6e664fb89": "Along with other drug makers",
        "63f9455b8d931ba6e664fb8a": "For years, journey times flying east",
        "63f9455b8d931ba6e664fb8c": "It's a far cry from",
        "63f9455b8d931ba6e664fb90": "And now, Politico reports",
        "63f9455b8d931ba6e664fb91": "Many governments, including the US",
        "63f9455b8d931ba6e664fb94": "The draft recommendations aim",
        "63f9455b8d931ba6e664fb95": "The boss of pizza giant",
        "63f9455b8d931ba6e664fb97": "Officials executed a",
        "63f9455b8d931ba6e664fb99": "Gravitational lensing is crucial",
        "63f9455b8d931ba6e664fb9a": "But Webb's Mid-Infrared Instrument",
        "63f9455b8d931ba6e664fb9c": "China overwhelmingly relies on coal",
        "63f9455b8d931ba6e664fb9e": "Chief executive Howard Schultz",
        "63f9455b8d931ba6e664fba1": "New Zealand's central bank raised",
        "63fe83a6822983eae8845b4c": "Treasury Board President",
        "63fe83a6822983eae8845b4f": "The money was approved in 2022",
        "63fe83a6822983eae8845b51": "The system will act as",
    },
    "podcast": {
        "spotify_podcast_2": "I took the picture off the wall. I removed it",
        "spotify_podcast_3": "I loved playing the game",
        "spotify_podcast_4": "Well, let me tell you Bob Ross",
        "spotify_podcast_9": "So if I have a sandwich",
        "spotify_podcast_12": "Today's meditation will be",
        "spotify_podcast_15": "For example, we say scientists should",
        "spotify_podcast_19": "The goal of outdoor education",
        "spotify_podcast_24": "In fact, we know that if we don't tell",
        "spotify_podcast_38": "But you guys also do a lot",
    },
    "qmsumm": {
        "q_test_17": "Project Manager: because it's uh",
        "q_test_21": "Marketing: I'll just put the cable in",
        "q_test_28": "PhD F: You could write a script",
        "q_test_29": "PhD A: But for speech recognition",
        "q_test_40": "Grad E: and so again re",
        "q_test_53": "Marketing: remember it's twelve",
        "q_test_65": "User Interface: Okay . So what's",
    },
    "samsum": {
        "samsum_train_13820270": "Ovi: Hey",
        "samsum_train_13716509": "Lola: guys",
        "samsum_train_13819151": "Fred: Would",
        "samsum_train_13820970": "Sally: Hey",
        "samsum_train_13716446": "Maria: When",
        "samsum_train_13819326": "Peggy: Hello",
        "samsum_train_13728094": "Sam: hey",
        "samsum_train_13730964": "Emily: Should",
        "samsum_train_13681933": "Will: Hey",
        "samsum_train_13728828": "Harry: Are",
        "samsum_train_13729360": "Joe: Hi",
    },
    "sales_call": {
        "sales_call_4": "Client: Can you tell me more",
        "sales_call_6": "Client: Actually, I am in the market",
        "sales_call_7": "Sales Agent: Great! We have several",
        "sales_call_8": "Client: How much would it cost",
        "sales_call_12": "Client: I am mostly interested",
        "sales_call_13": "Client: My budget is around",
        "sales_call_20": "Client: It's a two-story house",
        "sales_call_23": "Client: Actually, I'm currently looking",
    },
}
_KINDS = {
    "news": "news",
    "podcast": "podcast",
    "qmsumm": "meeting",
    "samsum": "chat",
    "sales_call": "sales call",
}


def _plain(text: str, kind: str) -> str:
    """Return the text with one turn or paragraph a line and single spaces."""
    if kind == "chat":
        text = re.sub(r"\s+\.\s+(?=\w+: )", "\n", text)
        text = re.sub(r"\s+\.\s*$", "", text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _cut(text: str, begin: str, kind: str) -> str:
    """Return whole sentences, or turns of a dialogue, from the given words on."""
    place = text.find(" ".join(begin.split()))
    if place < 0:
        raise SystemExit(f"the words {begin!r} are not in their document")
    border = r"(?<=[.!?\"])\s+|(?<=[a-z]\.)(?=[A-Z\"])" if kind in ("news", "podcast") else r"\n"
    rest = text[place:]
    end = 0
    for found in re.finditer(rf"{border}|\Z", rest):
        if found.start() > _CHARACTERS and end:
            break
        end = found.start()
    return rest[:end].strip()


def main() -> None:
    """Print one line of JSON an excerpt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with news.json, podcast.json, ...")
    folder = parser.parse_args().folder
    number = 0
    for name, wanted in _EXCERPTS.items():
        rows = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        documents = {row["id"].removesuffix("_og"): row["doc"] for row in rows if row["id"].endswith("_og")}
        for document, begin in wanted.items():
            kind = _KINDS[name]
            text = _cut(_plain(documents[document], kind), begin, kind)
            split = "probe" if number % 6 == 0 else "test"
            number += 1
            print(
                json.dumps({"id": document, "kind": kind, "split": split, "text": text}, ensure_ascii=False)
            )


if __name__ == "__main__":
    main()
