"""Does the same manual give the same top hit whatever format it comes in?

Indexes the Debian policy as text, PDF, EPUB and HTML, each as a domain of its own, and asks questions.
A top hit is the same when it holds the same phrase of the policy, which occurs in one place of it.

    python tests/benchmarks/formats.py FOLDER     # with policy.txt, policy.pdf, policy.epub, policy_html/
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hybrid import Assistant, load_settings

FORMATS = ("policy.txt", "policy.pdf", "policy.epub", "policy_html")


@dataclass(frozen=True)
class Probe:
    question: str
    phrase: str


PROBES = (
    Probe(
        "What must the copyright file of every package contain?", "verbatim copy of its distribution license"
    ),
    Probe(
        "How may a maintainer script prompt the user?", "not guaranteed to run with a controlling terminal"
    ),
    Probe("Where must manual pages be installed?", "appropriate places under"),
    Probe("What is a virtual package?", "offer more-or-less the same functionality"),
    Probe("What time stamps must be preserved from the upstream source?", "preserve the modification times"),
    Probe("Which user and group ids are allocated dynamically?", "divided into classes"),
    Probe("What is an essential package?", "great care in adding any programs"),
    Probe(
        "How is the changelog of a package called after installation?", "used both as the Debian changelog"
    ),
    Probe(
        "What does it mean when a package is in the contrib archive area?", "supplemental packages intended"
    ),
    Probe("How long may the synopsis of a package description be?", "certainly under 80 characters"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as indexes:
        settings = load_settings({"indexes": indexes, "models": {"offline": True}})
        tops = {}
        for name in FORMATS:
            assistant = Assistant(name.replace(".", "-"), settings=settings)
            assistant.index(arguments.folder / name)
            hits = assistant.retriever.search_all([probe.question for probe in PROBES])
            tops[name] = [" ".join(ranking[0].chunk.embedded_text.split()) for ranking in hits]
    same = 0
    for place, probe in enumerate(PROBES):
        found = {name: probe.phrase.lower() in tops[name][place].lower() for name in FORMATS}
        same += all(found.values())
        marks = "  ".join(f"{name} {'yes' if there else 'NO'}" for name, there in found.items())
        print(f"{marks}  {probe.question}")
    print(json.dumps({"questions": len(PROBES), "same_top_hit": same}))


if __name__ == "__main__":
    main()
