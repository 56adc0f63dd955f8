# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. A chatbot over your own documents, in ten lines
#
# The documents are 111 pages of the PostgreSQL manual. Two small models do all the work on this machine,
# without a GPU and without the network. Every sentence of an answer is a stretch of a page, with the place
# where it stands; where the pages do not answer, the answer says so.
#
# Half a minute the first time (the pages are embedded), a few seconds after that.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import show
from IPython.display import Markdown

from hybrid import Answer, Assistant, load_settings
from hybrid.questions.files import load_questions

QUICK = os.environ.get("NOTEBOOK", "full") == "quick"  # the dial: fewer questions
WORK = Path(os.environ.get("NOTEBOOK_WORK", "work")) / ("quick" if QUICK else "full")
SETTINGS = load_settings({"indexes": str(WORK), "models": {"offline": True}})

# %% [markdown]
# ## The ten lines

# %%
assistant = Assistant("postgres", settings=SETTINGS)
indexed = assistant.index("../postgres/pages")  # the second time only what changed
chat = assistant.chat()  # remembers its turns
answers = [
    chat.ask("What does auth_delay do?"),
    chat.ask("does it also help against denial of service?"),  # a follow-up
    chat.ask("On which port does the server listen by default?"),  # another subject
    chat.ask("At what oven temperature should sourdough bread be baked?"),  # nothing here answers that
]

# %% [markdown]
# ## What it said
#
# *Understood as* shows how a follow-up became a question of its own before anything was searched.


# %%
def shown(answer: Answer) -> str:
    """Return question, answer and places as Markdown."""
    parts = [f"**{answer.question}**", " ".join(answer.text.split())]
    if answer.standalone:
        parts.insert(1, f"*understood as: {answer.standalone}*")
    places = [f"- [{c.number}] {c.source}, characters {c.start} to {c.end}" for c in answer.citations]
    return "\n\n".join([*parts, "\n".join(places)])


Markdown("\n\n---\n\n".join(map(shown, answers)))

# %% [markdown]
# ## Does a citation hold?
#
# Its text stands at its place in the document, word for word. And a small judge says of every sentence
# whether the passages carry it.

# %%
judged = assistant.check(answers[2])
assert judged is not None, "it answered from passages"
show.table(
    ("sentence", "chance that the passages carry it", "so it is"),
    [(v.claim.text, f"{v.support:.2f}", v.status) for v in judged.verdicts],
)

# %% [markdown]
# ## How often is it right?
#
# Sixty questions were written for these pages; ten of them the pages do not answer. Declining is right
# there and wrong elsewhere.

# %%
questions = load_questions(Path("../postgres/questions.jsonl"))
asked = questions[:: 5 if QUICK else 1]
measured = assistant.compare(asked, arms="rag")
scored = list(zip(measured.questions, measured.scores, strict=True))


def bar(label: str, metric: str, answerable: bool = True) -> show.Bar:
    """Return the mean of a metric over the questions that are answerable, or are not."""
    part = [(q, getattr(s, metric)) for q, s in scored if q.answerable is answerable]
    known = [(q.unit, value) for q, value in part if value is not None]
    return show.share(label, [value for _, value in known], [unit for unit, _ in known])


found = [
    bar("right, where the pages answer", "correct"),
    bar("declined, where they do not", "abstained", answerable=False),
    bar("the page's sentence was retrieved", "recall"),
    bar("sentences that the judge finds carried", "groundedness"),
]
figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
show.bars(axes, found, title=f"{len(asked)} questions: of 100, with 90 % intervals", chosen=found[0].label)
plt.show()

# %% [markdown]
# The bars are read together: what is retrieved bounds what can be right, and what is carried is not yet an
# answer. The default reader quotes sentences because the small generator writes badly; with [a good
# model](../../docs/how-to/models.md) the same ten lines write.
#
# **What this does not show.** The weights of the reader were chosen with these sixty questions in sight.
# Whether retrieval is the right choice at all is the question of [the next
# notebook](02_side_by_side.ipynb).

# %% tags=["check"]
show.numbers(
    {
        "pages": (indexed.manifest.counts.documents, 0),
        "passages": (indexed.manifest.counts.chunks, 0),
        "the follow-up was understood": str(bool(answers[1].standalone)),
        "the oven was declined": str(answers[3].abstained),
        "cites": str(sorted({c.source for c in answers[2].citations})),
        **{bar.label: (bar.value, 3) for bar in found},
    }
)
