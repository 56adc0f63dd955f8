from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.report.passages import missed_evidence, shown_passages
from hybrid.types import Citation, Evidence, Question, Span

_TEXT = "First sentence. The port is 5432. Last sentence."


def outcome(arm, *passages, cites=()):
    return Outcome("k", arm, "q", "an answer", passages=passages, citations=tuple(cites))


def passage(source="a.md", start=100, text=_TEXT):
    return Retrieved(source, Span(start, start + len(text)), text, 1.0)


def cite(start, end, number=1, source="a.md"):
    return Citation(number, source, start, end, "")


def question(*evidence):
    return Question("q", "which port?", ("5432",), evidence=evidence)


def test_a_cited_stretch_is_cut_out_of_its_passage_by_document_offsets():
    (shown,) = shown_passages(None, [outcome("rag", passage(), cites=[cite(116, 133)])])
    assert [(s.text, s.cited) for s in shown.stretches] == [
        ("First sentence. ", ()),
        ("The port is 5432.", ("rag [1]",)),
        (" Last sentence.", ()),
    ]


def test_a_passage_that_two_arms_saw_stands_once_with_both_ranks_and_both_citations():
    other = passage("b.md")
    (shown, plain) = shown_passages(
        None,
        [
            outcome("rag", other, passage(), cites=[cite(116, 133)]),
            outcome("both", passage(), cites=[cite(116, 133, 2)]),
        ],
    )
    assert shown.source == "a.md"  # what is cited comes first
    assert shown.seen == ("rag #2", "both #1")
    assert shown.stretches[1].cited == ("rag [1]", "both [2]")
    assert not plain.telling


def test_gold_is_found_by_offsets_or_by_its_quote():
    by_span = question(Evidence("a.md", "", Span(116, 133)))
    by_quote = question(Evidence("a.md", "The port is 5432."))
    for asked in (by_span, by_quote):
        (shown,) = shown_passages(asked, [outcome("rag", passage())])
        assert [s.text for s in shown.stretches if s.gold] == ["The port is 5432."]
        assert missed_evidence(asked, [shown]) == ()


def test_overlapping_stretches_keep_the_text_whole():
    asked = question(Evidence("a.md", "port is 5432. Last"))
    (shown,) = shown_passages(asked, [outcome("rag", passage(), cites=[cite(90, 125), cite(110, 900, 2)])])
    assert "".join(stretch.text for stretch in shown.stretches) == _TEXT


def test_gold_evidence_that_no_arm_saw_is_named():
    asked = question(Evidence("a.md", "The port is 5432."), Evidence("c.md", "elsewhere"))
    shown = shown_passages(asked, [outcome("rag", passage())])
    assert missed_evidence(asked, shown) == (1,)


def test_a_very_long_passage_is_cut_around_its_mark():
    long = passage(text="x" * 9_000 + "MARK" + "y" * 9_000)
    (shown,) = shown_passages(None, [outcome("rag", long, cites=[cite(9_100, 9_104)])])
    assert sum(len(stretch.text) for stretch in shown.stretches) < 3_000
    assert [s.text for s in shown.stretches if s.cited] == ["MARK"]
    assert "more characters" in shown.stretches[-1].text


def test_a_citation_of_another_document_marks_nothing():
    (shown,) = shown_passages(None, [outcome("rag", passage(), cites=[cite(116, 133, source="b.md")])])
    assert not shown.telling
