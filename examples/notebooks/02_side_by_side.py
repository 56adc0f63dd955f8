# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. Retrieval, adaptation, or both? Side by side
#
# The same sixty questions about the PostgreSQL manual are put to four arms: the generator **base** as it
# is, with retrieval (**rag**), tuned on the pages by LoRA (**adapter**), and **both** at once. None of the
# pages that the questions are about was trained on. All arms answer the same questions, so differences are
# paired; questions about one page count as one piece of evidence.
#
# The first run trains the adapter and asks all arms: 23 minutes on two cores that were busy with other
# work. What was made is kept in `work`, and the next run takes a minute or two.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import show
from IPython.display import Markdown, display

from hybrid import Assistant, load_settings
from hybrid.questions.files import load_questions

QUICK = os.environ.get("NOTEBOOK", "full") == "quick"  # the dial: fewer questions, shorter training
WORK = Path(os.environ.get("NOTEBOOK_WORK", "work")) / ("quick" if QUICK else "full")
SETTINGS = load_settings(
    {
        "indexes": str(WORK),
        "models": {"offline": True, "generator_adapter": "tuned"},
        "adaptation": {  # a small adapter of few examples
            "examples": 24 if QUICK else 120,
            "epochs": 1,
            "layers": 0.34,
            "learning_rate": 1e-3,
            "batch": 4,
        },
        "generation": {"max_new_tokens": 32 if QUICK else 96},
        "decision": {"alone": 2 if QUICK else 6},  # questions asked one at a time, for the time of an answer
    }
)

# %%
questions = load_questions(Path("../postgres/questions.jsonl"))[:: 5 if QUICK else 1]
assistant = Assistant("postgres", settings=SETTINGS)
indexed = assistant.index("../postgres/pages")
if "tuned" not in assistant.adapters.names():
    adaptation = assistant.adaptation
    material = adaptation.material(["reading"], apart=questions, licence="PostgreSQL")
    adaptation.tune_generator(material, name="tuned")
comparison = assistant.compare(questions, arms="base,rag,adapter,both")
decision = comparison.decision
assert decision is not None, "four arms were compared"

# %% [markdown]
# ## The verdict

# %%
Markdown(f"> **{decision.verdict.upper()}.** {decision.sentence}")

# %% [markdown]
# ## The 2 × 2

# %%
scores = show.arms(comparison)
show.two_by_two(scores)

# %%
figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
show.bars(axes, scores, title="Right, of 100 questions, with 90 % intervals", chosen=decision.arm)
plt.show()

# %% [markdown]
# What stands against what, on the same questions. The verdict needs each of these claims, and each is
# tested by itself.

# %%
show.table(
    ("difference", "points", "90 % interval", "claim"),
    [
        (
            f"{effect.arm} − {effect.other}",
            f"{100 * effect.difference:+.1f}",
            f"{100 * effect.interval.low:+.1f} to {100 * effect.interval.high:+.1f}",
            f"{effect.claim}: {'shown' if effect.shown else 'not shown'}",
        )
        for effect in decision.effects
    ],
)

# %% [markdown]
# ## The same question in four columns
#
# The first one that some arm answers rightly and another does not, and the first one that the pages do not
# answer.

# %%
right = {
    question.id: {
        scores.correct >= 0.5
        for outcome, scores in zip(comparison.outcomes, comparison.scores, strict=True)
        if outcome.question == question.id
    }
    for question in comparison.questions
}
contested = next(q for q in comparison.questions if q.answerable and len(right[q.id]) == 2)
unanswerable = next(q for q in comparison.questions if not q.answerable)
for question in (contested, unanswerable):
    gold = f"Right is: {question.answers[0]}." if question.answerable else "The pages do not say."
    display(Markdown(f"**{question.text}** {gold}"))
    display(show.columns([outcome for outcome in comparison.outcomes if outcome.question == question.id]))

# %% [markdown]
# ## Who is to blame
#
# A wrong answer has one of a few causes, and each is mended elsewhere. What was *not retrieved* is for the
# retriever, what was *retrieved, and wrong* for the reader, what was *declined* for the threshold. Without
# retrieval an answer comes from memory.

# %%
names = [row.label for row in scores]
figure, panels = plt.subplots(1, 4, figsize=(11, 2.7), sharey=True, layout="constrained")
for panel, arm in zip(panels, names, strict=True):
    show.bars(panel, show.causes(comparison, arm), title=arm)
figure.supxlabel("of 100 questions, with 90 % intervals", fontsize=9)
plt.show()

# %% [markdown]
# ## Price and time, beside quality

# %%
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
show.quality_and_time(axes, comparison, chosen=decision.arm)
plt.show()

# %%
costs = comparison.costs
show.table(
    ("arm", "right of 100", "seconds alone", "USD per 1,000 answers", "minutes of training"),
    [
        (
            row.label,
            row.text,
            f"{costs[row.label].p50:.2f}",
            f"{costs[row.label].money:.4f}",
            f"{costs[row.label].training_minutes:.1f}",
        )
        for row in scores
    ],
)

# %% [markdown]
# Money is what a rented machine of two cores costs at the prices of the settings; times are of the machine
# that ran this.
#
# ## What this does not show
#
# - **Other models.** The generator has 135 million parameters. It reads badly, tuned or not; the default
#   reader of *rag* quotes and hardly needs it. A larger generator moves three of the four bars.
# - **Patience.** The adapter saw about a hundred made examples. It learns the form of an answer and to
#   decline, not the facts of a manual, and sixty questions cannot tell small differences apart: see the
#   smallest effect that they can show, below.
# - **Other domains.** Here the answer stands on a page. Where it does not, the verdict may turn around:
#   [the fourth notebook](04_several_domains.ipynb) has such a domain.
# - **Held-out quality of the reader.** The weights of the quoting reader were chosen with these questions
#   in sight.

# %%
Markdown(
    f"{decision.questions} questions about {decision.sources} pages show a difference of "
    f"{100 * decision.detectable:.0f} points or more, four times out of five."
)

# %% tags=["check"]
show.numbers(
    {
        # a dozen questions may leave it open, or not
        **({} if QUICK else {"verdict": decision.verdict, "arm": str(decision.arm)}),
        "questions": (decision.questions, 0),
        **{
            f"{row.label}, right": (row.value, 3 if row.label == "rag" else 20 if QUICK else 10)
            for row in scores
        },
        **{f"rag, {bar.label}": (bar.value, 3) for bar in show.causes(comparison, "rag")},
    }
)
