# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3. Jargon: an embedder before and after
#
# An embedder was trained on everybody's words. A manual has words of its own (*autovacuum*, *pg_rewind*,
# *walreceiver*), which it breaks into pieces. Can it learn them from the pages alone, without a single
# labelled question? Queries are made from the texts, a LoRA adapter is trained on them, the pages are
# embedded anew, and dense retrieval is measured on pages that training never saw.
#
# The first run took 9 minutes on two cores that were busy with other work; the next one takes a minute.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import show
from IPython.display import Markdown

from hybrid import Assistant, load_settings
from hybrid.adaptation.values import Change
from hybrid.errors import GateFailed
from hybrid.questions.files import load_questions
from hybrid.ranking import ndcg

QUICK = os.environ.get("NOTEBOOK", "full") == "quick"  # the dial: fewer pages and questions, shorter training
WORK = Path(os.environ.get("NOTEBOOK_WORK", "work")) / ("quick" if QUICK else "full")
EVERYDAY = ["tutorial-*", "app-*", "datatype-*", "ddl-*", "indexes-*", "runtime-config-*"]
SETTINGS = load_settings(
    {
        "indexes": str(WORK),
        "models": {"offline": True},
        "documents": {"exclude": EVERYDAY if QUICK else []},
        "adaptation": {"examples": 16 if QUICK else 100, "epochs": 1},
    }
)

# %%
questions = [q for q in load_questions(Path("../postgres/questions.jsonl")) if q.answerable]
assistant = Assistant("jargon", settings=SETTINGS)
indexed = assistant.index("../postgres/pages")
adaptation = assistant.adaptation
if "tuned" not in assistant.adapters.names():
    adaptation.tune_embedder(apart=questions, name="tuned", licence="PostgreSQL")
card = assistant.adapters.card("tuned")
if card.gain is None:  # before and after, on pages that training never saw and on texts about anything
    card = adaptation.check("tuned")
gain, cost = card.gain, card.forgetting[0]
assert gain is not None, "it was checked"

# %% [markdown]
# ## The verdict


# %%
def told(measured: Change) -> str:
    """Return a change of nDCG in words."""
    return (
        f"{measured.before:.3f} → {measured.after:.3f}, a change of {measured.change:+.3f} "
        f"({measured.low:+.3f} to {measured.high:+.3f}, {measured.items} queries)"
    )


try:
    assistant.adapters.require_passed("tuned")
    verdict = "**PASSES THE GATE.** It finds more, and spoils nothing by more than it may."
except GateFailed as refused:
    verdict = f"**REFUSED BY THE GATE**: {'; '.join(refused.against)}. The index stays as it is."
Markdown(
    f"> {verdict}\n>\n"
    f"> nDCG@10 of dense retrieval on pages never seen, queries made from them: {told(gain)}.\n>\n"
    f"> On texts about anything, which it must not spoil: {told(cost)}."
)

# %% [markdown]
# ## Does it find more?
#
# The made queries above resemble what it was trained on. These questions do not: they were written by
# people, about pages that were kept apart from training. A bar is the mean of nDCG@10 of the page that
# answers.


# %%
def gains(arm: str) -> list[float]:
    """Return for each question how high an arm ranks the page that answers it."""
    found = []
    for question in questions:
        pages = dict.fromkeys(hit.chunk.source for hit in assistant.search(question.text, arm=arm))
        found.append(ndcg(list(pages), {evidence.source: 1 for evidence in question.evidence}, 10))
    return found


indexed_pages = set(assistant.status(files=True).sources or ())
questions = [q for q in questions if {e.source for e in q.evidence} <= indexed_pages]
units = [question.unit for question in questions]
ARMS = {
    "dense": "rag:k=20:mode=dense",
    "dense, tuned": "rag:k=20:mode=dense:embedder_adapter=tuned",
    "with words": "rag:k=20",
    "with words, tuned": "rag:k=20:embedder_adapter=tuned",
}
by_arm = {name: gains(arm) for name, arm in ARMS.items()}
found = [show.share(name, values, units) for name, values in by_arm.items()]
figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
show.bars(axes, found, title=f"{len(questions)} questions by people: 100 × nDCG@10, with 90 % intervals")
plt.show()

# %% [markdown]
# Two bars may overlap and still differ, since both answered the same questions. The paired differences
# decide:

# %%
changes = [
    show.change(name, by_arm[name], by_arm[f"{name}, tuned"], units) for name in ("dense", "with words")
]
show.table(
    ("tuned − as it was", "points of nDCG@10", "90 % interval"),
    [(bar.label, f"{bar.value:+.1f}", f"{bar.low:+.1f} to {bar.high:+.1f}") for bar in changes],
)

# %% [markdown]
# ## What this does not show
#
# - **That people find more.** Made queries resemble what it was trained on, so a gain there is no gain yet
#   on questions by people. Here the page that answers is nearly always found anyway, with or without
#   tuning: bars close to 100 leave no room.
# - **A large gain anywhere.** On public sets the same recipe gained .007 to .009 of nDCG
#   ([benchmarks](../../docs/benchmarks.md#adapters)); the target was .02, and it was missed.
# - **Jargon that a model has never met.** This embedder has read the web, and the PostgreSQL manual is on
#   the web.
# - **Other seeds.** Another one gives another adapter.

# %% tags=["check"]
show.numbers(
    {
        "pages": (indexed.manifest.counts.documents, 0),
        "before, made queries": (gain.before, 0.01),
        "after, made queries": (gain.after, 0.03),
        "general, before": (cost.before, 0.01),
        "general, after": (cost.after, 0.03),
        **{bar.label: (bar.value, 3 if "tuned" not in bar.label else 6) for bar in found},
    }
)
