"""How the figures came about, in plain words, and what they were made with.

Takes a decision, measures and settings, gives sections.
"""

from __future__ import annotations

from collections.abc import Sequence

from hybrid.decision.values import Decision
from hybrid.evaluation.scores import METRICS, MetricCard
from hybrid.report import words
from hybrid.report.blocks import bullets, fold, name, paragraph, section, table
from hybrid.report.content import GroupMeans, Material
from hybrid.report.markup import Markup, element


def method(decision: Decision) -> Markup:
    """Say what was resampled, which tests were made, and how the verdict follows."""
    policy = decision.policy
    margin = words.points(policy.margin)
    asked = words.counted(decision.questions, "question")
    sources = words.counted(decision.sources, "source")
    steps = [
        f"{asked} from {sources} were put to {words.counted(len(decision.arms), 'arm')}. Every answer has a "
        f"score from 0 to 1 by the metric “{policy.metric}”. A failed or empty answer counts as a failure; "
        "none drops out of a mean.",
        "Arms are compared on the same questions, so that hard questions are equally hard for all.",
        f"Intervals come from {policy.replicates:,} bootstrap replicates, bias-corrected and accelerated "
        "(BCa). Whole sources are drawn, never single questions: questions about one document are not "
        "independent.",
        "The verdict for an arm needs that it is better than each cheaper arm and not worse than each dearer "
        f"one, both by more than the margin of {margin} points. Each claim is a one-sided test at a level "
        f"of {words.plain(policy.level)}; the ends of an interval are the bounds of such a test. The "
        "p-values are adjusted for the number of claims (Holm). A second check flips the signs of whole "
        "sources at random: a permutation test of no difference.",
        *_looking(decision),
        "The verdict is the cheapest arm, among those that pass the gates, for which all claims are shown; "
        "of equally priced arms the simpler one. If there is none, the verdict is “undecided”.",
        "The number of further questions is the one that would show what is open with a power of 80 %, if "
        "the effects are as they look now.",
        f"All chance comes from the seed {policy.seed}: the same input gives the same figures.",
    ]
    return section("method", "Method", bullets(steps))


def metrics(decision: Decision, found: Sequence[GroupMeans]) -> Markup:
    """Show the means of all measures, and what each metric means."""
    named = {decision.policy.metric, *(row.name for row in found)}
    cards = [_card(card) for card in METRICS if card.name in named]
    parts: list[Markup] = []
    if found:
        header = ["Measure", "Answers", *(result.arm for result in decision.arms)]
        rows = [[name(row.name), f"{row.count:,}", *map(_value, row.means)] for row in found]
        note = (
            "Means over the answers to which a measure applies; where their number differs between arms, "
            "the largest is shown."
        )
        parts.append(
            fold("All measures by arm", table("Measures by arm", header, rows), paragraph(note, "note"))
        )
    if cards:
        header = ["Metric", "Range", "Better", "Definition", "Source"]
        parts.append(fold("What each metric means", table("Metrics", header, cards, cards=True)))
    return section("metrics", "Metrics", *parts) if parts else Markup("")


def settings(material: Material) -> Markup:
    """List the settings and digests that name the run."""
    if not material.settings:
        return Markup("")
    pairs: list[Markup] = []
    for key in sorted(material.settings):
        value = element("code", None, material.settings[key])
        pairs += [element("dt", None, key), element("dd", None, value)]
    listing = element("dl", {"class": "settings"}, *pairs)
    return section("settings", "Settings and digests", fold(f"{len(material.settings)} entries", listing))


def _looking(decision: Decision) -> tuple[str, ...]:
    if not decision.looks:
        return ()
    looks = words.counted(len(decision.looks), "look")
    return (
        f"The questions were asked in growing batches, with {looks} at the figures. The level is shared out "
        "among all looks (alpha spending), so that looking often does not make a wrong claim likelier; an "
        "interval that belongs to an early look is wider for it.",
    )


def _card(card: MetricCard) -> list[str]:
    scale = f"{words.plain(card.low)} to {words.plain(card.high)}"
    better = {True: "higher", False: "lower", None: "neither"}[card.higher_is_better]
    return [name(card.name), scale, better, element("span", None, card.definition), card.source]


def _value(mean: float | None) -> str:
    return "–" if mean is None else f"{mean:.3f}".replace("-", "−")
