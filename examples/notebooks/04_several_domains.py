# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. Several domains, one router, one report
#
# *Retrieval, adaptation, or both?* has no answer for all domains. Here are three:
#
# - the PostgreSQL manual, where the answer **stands on a page**;
# - contract clauses, where lawyers have **labelled** what a clause says, and no page tells it;
# - a register of clauses under numbers, where it takes **both**: the clause stands on a page, and to which
#   desk of the house it goes is known from entries that were filed before.
#
# Each gets its own verdict by the same rule; then one assistant stands in front of all, and a router sends
# every question to the domain that it belongs to, or to none.
#
# The first run makes three adapters and asks four arms in each domain; the next one takes a minute or two.

# %%
import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import show

from hybrid import Assistant, Assistants, load_settings
from hybrid.questions.files import load_questions, save_questions

QUICK = os.environ.get("NOTEBOOK", "full") == "quick"  # the dial: fewer questions, shorter training
WORK = Path(os.environ.get("NOTEBOOK_WORK", "work")) / ("quick" if QUICK else "full")
COMMON = {
    "indexes": str(WORK),
    "models": {"offline": True, "generator_adapter": "tuned"},
    "generation": {"max_new_tokens": 32 if QUICK else 96},
    "decision": {"alone": 2 if QUICK else 6},  # questions asked one at a time, for the time of an answer
}
SETTINGS = load_settings(COMMON)

# %% [markdown]
# ## The domains
#
# A further domain is a further line: its documents, its questions with gold answers, what an adapter is to
# learn, and examples for it where people labelled some.


# %%
@dataclass(frozen=True)
class Domain:
    """What is known of a domain before anything is measured."""

    name: str
    documents: Path
    questions: Path
    learn: str  # reading: examples are made from the documents; label: given ones
    licence: str
    examples: Path | None = None
    # what differs from the settings of all
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def assistant(self) -> Assistant:
        """Return the assistant of this domain, with its own settings."""
        own = {section: {**COMMON.get(section, {}), **values} for section, values in self.settings.items()}
        return Assistant(self.name, settings=load_settings({**COMMON, **own}))


DOMAINS = [
    Domain(
        "postgres",
        Path("../postgres/pages"),
        Path("../postgres/questions.jsonl"),
        "reading",
        licence="PostgreSQL",
        settings={
            "adaptation": {  # a small adapter of few examples
                "examples": 24 if QUICK else 120,
                "epochs": 1,
                "layers": 0.34,
                "learning_rate": 1e-3,
                "batch": 4,
            }
        },
    ),
    Domain(
        "contracts",
        Path("../contracts/corpus"),
        Path("../contracts/questions.jsonl"),
        "label",
        licence="CC-BY-4.0",
        examples=Path("../contracts/tuning.jsonl"),
        # an index has to be kept up, so passages are worth it if they bring five points
        settings={"retrieval": {"k": 1}, "decision": {"margin": 0.05}},
    ),
    Domain(
        "register",
        Path("../register/pages"),
        Path("../register/questions.jsonl"),
        "label",
        licence="CC-BY-4.0",
        examples=Path("../register/tuning.jsonl"),
        # an entry is all there is to read; those that are asked about are held out by their questions
        settings={"retrieval": {"k": 1}, "adaptation": {"hold_out": 0.0}},
    ),
]

# %% [markdown]
# ## Index, tune, compare: the same three steps everywhere


# %%
def tune(assistant: Assistant, domain: Domain) -> None:
    """Train the adapter of a domain on its examples, and never on what the questions are about."""
    adaptation = assistant.adaptation
    asked = load_questions(domain.questions)
    given = adaptation.given([domain.examples] if domain.examples else [])
    if QUICK:
        given = dataclasses.replace(given, questions=given.questions[:60])
    material = adaptation.material([domain.learn], apart=asked, given=given, licence=domain.licence)
    adaptation.tune_generator(material, name="tuned")


comparisons = {}
for domain in DOMAINS:
    assistant = domain.assistant()
    assistant.index(domain.documents)
    if "tuned" not in assistant.adapters.names():
        tune(assistant, domain)
    asked = load_questions(domain.questions)
    asked = asked[:: len(asked) // 12] if QUICK else asked
    comparisons[domain.name] = assistant.compare(asked, arms="base,rag,adapter,both")
    assistant.adopt(comparisons[domain.name])  # from now on it answers by what was decided, if something was

# %% [markdown]
# ## The report: a verdict for each domain

# %%
decisions = {name: c.decision for name, c in comparisons.items() if c.decision is not None}
show.table(
    ("domain", "verdict", "because"),
    [
        (name, f"run **{d.arm}**" if d.arm else f"undecided; until then run {d.interim}", d.sentence)
        for name, d in decisions.items()
    ],
)

# %%
figure, panels = plt.subplots(1, len(DOMAINS), figsize=(10, 2.6), sharey=True, layout="constrained")
for panel, (name, comparison) in zip(panels, comparisons.items(), strict=True):
    decision = decisions[name]
    guessing = None if decision.guessing is None else 100 * decision.guessing
    show.bars(panel, show.arms(comparison), title=name, chosen=decision.arm, guessing=guessing)
figure.supxlabel("right of 100, with 90 % intervals; blue: chosen", fontsize=9)
plt.show()

# %% [markdown]
# **PostgreSQL.** Retrieval is everything: what the generator does not know by heart it can be shown.
#
# **Contracts.** The clause stands in the question, so passages have nothing to add to an adapter that learned
# the labels of 380 clauses: a head on the states of the generator, fitted in about a minute, and no weight of
# the generator is changed. A bag of words over the shipped clauses reaches 83
# (`examples/contracts/floor.py`).
#
# **Register.** Alone, neither suffices: without the page the adapter does not know what the entry says, and
# without the adapter the generator does not know the desks of the house. Together they do.
#
# ## One router in front
#
# Half of the questions of each domain are its labelled ones. The other half is sent through the router: to
# its own domain, and once more with that domain taken away, where *none of these* is right.

# %%
held_out = {}
for domain in DOMAINS:
    questions = [question for question in load_questions(domain.questions) if question.answerable]
    save_questions(WORK / domain.name / "questions" / "labelled.jsonl", questions[::2])
    held_out[domain.name] = questions[1 :: 6 if QUICK else 2]

names = [domain.name for domain in DOMAINS]
assistants = Assistants(WORK, names, settings=SETTINGS)
card = assistants.fit_router()

found = []
for name, questions in held_out.items():
    units = [question.unit for question in questions]
    sent = [float(assistants.route(question.text).domain == name) for question in questions]
    found.append(show.share(f"{name}: sent there", sent, units))
for name, questions in held_out.items():
    without = Assistants(WORK, [other for other in names if other != name], settings=SETTINGS)
    none = [float(not without.route(question.text).domain) for question in questions]
    found.append(show.share(f"{name} taken away: to none", none, [question.unit for question in questions]))
figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
show.bars(axes, found, title="Routed right, of 100 held-out questions, with 90 % intervals")
plt.show()

# %% [markdown]
# ## One assistant, three questions

# %%
ASKED = (
    "Which file makes a server start as a standby?",
    "Which clause forbids a party to assign the agreement to a third party without consent?",
    "At what oven temperature should sourdough bread be baked?",
)
answers = [assistants.ask(question) for question in ASKED]
show.table(
    ("question", "domain", "probability", "arm", "answer"),
    [
        (
            answer.question,
            answer.domain or "*none of these*",
            f"{answer.route.probability:.2f}",
            answer.variant or "–",
            show.cut(answer.text),
        )
        for answer in answers
    ],
)

# %% [markdown]
# ## What this does not show
#
# - **Seven domains.** With three a router has an easy life;
#   [benchmarks](../../docs/benchmarks.md#routing) has seven real corpora.
# - **Retrieval that has to search.** In the register a question names its entry by number.
# - **Routing between arms.** Each domain has one arm here, the one that its evidence chose.

# %% tags=["check"]
show.numbers(
    {
        # a dozen questions may leave it open, or not
        **({} if QUICK else {f"{name}: arm": str(one.arm) for name, one in decisions.items()}),
        **{
            f"{name}: {row.label}, right": (
                row.value,
                3 if (name, row.label) == ("postgres", "rag") else 25 if QUICK else 12,
            )
            for name, comparison in comparisons.items()
            for row in show.arms(comparison)
        },
        **{row.label: (row.value, 5) for row in found},
        "domains of the three questions": " · ".join(answer.domain or "none" for answer in answers),
        "router, right on left-out questions": (100 * card.reliability.right, 5),
    }
)
