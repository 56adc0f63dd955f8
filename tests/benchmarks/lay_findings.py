"""Does the grounding scorer know a finding in the words of a layman? COVID-Fact, reworded by a glossary.

    python tests/benchmarks/lay_findings.py DATA [--claims N]

DATA holds ``covid_fact``, of which nothing was trained on. Claims (headlines of papers, and their edits by a
model) of which the glossary knows two terms or more are judged as they are and in lay words, against the same
sentences of the paper. A swap keeps what a claim says, so labels stay.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from pathlib import Path

import numpy as np
from grounding import Table, interval, told
from measure import note, print_table

from hybrid.config import ModelSettings
from hybrid.grounding.examples import limited
from hybrid.grounding.metrics import measured
from hybrid.grounding.scorers.names import scorer_for
from recipes.grounding.sets import load_covid_fact

_SCORERS = ("overlap", "align", "trained")
_LEAST = 2
# As health services explain them; none says more or less than its term.
GLOSSARY = {
    "administration of": "giving",
    "adverse events": "side effects",
    "antibodies": "defence proteins in the blood",
    "antiviral": "virus-fighting",
    "are associated with": "go along with",
    "associated with": "linked to",
    "asymptomatic": "without symptoms",
    "cardiac": "heart",
    "cohort": "group",
    "convalescent": "recovered",
    "correlates with": "goes along with",
    "cytokine": "immune messenger",
    "decreased": "lower",
    "decreases": "lowers",
    "diminishes": "lessens",
    "efficacious": "working",
    "efficacy": "how well it works",
    "elevated": "raised",
    "enhanced": "stronger",
    "enhances": "strengthens",
    "epithelial": "lining",
    "fatality": "death",
    "hospitalized": "in hospital",
    "humoral": "antibody",
    "hypertension": "high blood pressure",
    "immunity": "protection",
    "inactivated": "killed",
    "incidence": "number of new cases",
    "induces": "brings about",
    "influenza": "flu",
    "inhibition": "blocking",
    "inhibitors": "blockers",
    "inhibits": "blocks",
    "is associated with": "goes along with",
    "macaques": "monkeys",
    "mitigates": "softens",
    "mortality": "deaths",
    "neutralizing": "virus-blocking",
    "obesity": "being very overweight",
    "pathogenesis": "the way the disease arises",
    "pediatric": "children's",
    "pneumonia": "lung inflammation",
    "potent": "strong",
    "potently": "strongly",
    "prevalence": "how common it is",
    "prolonged": "long",
    "promotes": "furthers",
    "prophylaxis": "prevention",
    "pulmonary": "lung",
    "reinfection": "getting infected again",
    "renal": "kidney",
    "replication": "multiplying",
    "respiratory": "breathing",
    "robust": "strong",
    "sars-cov-2": "the new coronavirus",
    "seroprevalence": "the share of people with antibodies",
    "susceptibility to": "how easily one gets",
    "symptomatic": "with symptoms",
    "systemic": "whole-body",
    "therapeutic": "healing",
    "thrombosis": "blood clots",
    "transmission": "spreading",
    "vascular": "blood vessel",
}
_TERM = re.compile(
    rf"(?<![\w-])(?:{'|'.join(map(re.escape, sorted(GLOSSARY, key=len, reverse=True)))})(?![\w-])", re.I
)


def in_lay_words(claim: str) -> tuple[str, int]:
    """Return a claim with the terms of the glossary explained, and how many there were."""
    text, count = _TERM.subn(lambda found: GLOSSARY[found[0].lower()], claim)
    return text[:1].upper() + text[1:], count


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--claims", type=int, default=600)
    options = parser.parse_args()
    claims = load_covid_fact([options.data / "covid_fact/covid_fact.jsonl"]).examples
    known = limited([one for one in claims if in_lay_words(one.claim)[1] >= _LEAST], options.claims)
    lay = [dataclasses.replace(one, claim=in_lay_words(one.claim)[0]) for one in known]
    settings = ModelSettings(offline=True)
    tables = []
    for told_as, asked in (("as it is", known), ("in lay words", lay)):
        logits = {name: measured(name, scorer_for(name, settings), asked).logits for name in _SCORERS}
        tables.append(Table(told_as, "", tuple(asked), {k: np.asarray(v) for k, v in logits.items()}, False))
    note(f"{len(known)} claims, {sum(one.supported for one in known)} supported; for example: {lay[0].claim}")
    print_table(
        ("claims", *_SCORERS),
        [(table.name, *(told(interval(table, (name,), (1.0,))) for name in _SCORERS)) for table in tables],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
