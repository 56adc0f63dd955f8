import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.grounding.checks import TextFacts, contradictions, in_order, missing, objections
from hybrid.grounding.values import Doubt
from hybrid.text.framing import framed
from hybrid.text.sentences import sentence_spans


def findings(claim, evidence):
    sentences = framed([evidence[span.start : span.end] for span in sentence_spans(evidence)])
    return in_order([*missing(claim, TextFacts(evidence)), *objections(claim, sentences)])


def doubts(claim, evidence):
    return [(finding.doubt.value, finding.text) for finding in findings(claim, evidence)]


@pytest.mark.parametrize(
    ("claim", "evidence", "expected"),
    [
        ("The port is 5433.", "The port is 5432.", [("number", "5433")]),
        ("There are 2,000 houses.", "There are 2000 houses.", []),
        ("There are twelve houses.", "12 houses stand there.", []),
        ("There are fourteen houses.", "12 houses stand there.", [("number", "fourteen")]),
        ("It costs $1.2 million.", "It costs 1,234,000 dollars.", []),
        ("It grew by half a 50%.", "Half of it grew.", []),
        ("Two friends met.", "Ann met Bob.", []),
        ("It needs Python 3.11.2.", "It needs Python 3.11.4.", [("number", "3.11.2")]),
        ("The dose is 5 mg.", "The dose is 5 kg.", [("unit", "5 mg")]),
        ("The dose is 5 mg.", "The dose is 5 milligrams.", []),
        ("The dose is 5 mg.", "The dose is 0.005 g.", []),
        ("The dose is 5 mg.", "A dose of 5 is enough.", []),
        ("The dose is 5 mg.", "Take 5 kg of sugar and a dose of 5 mg.", []),
        ("It opened on March 3, 2021.", "It opened on 2021-03-03.", []),
        ("It opened on March 3, 2021.", "It opened on 3/3/2021.", []),
        ("It opened in March 2021.", "It opened on 3 March 2021.", []),
        ("It opened on March 4, 2021.", "It opened on 3 March 2021.", [("date", "March 4, 2021")]),
        ("It opened in 1990.", "It opened in 1991.", [("date", "1990")]),
        ("It opened in the 1990s.", "It opened in 1994.", []),
        ("It opened in the 1980s.", "It opened in 1994.", [("date", "1980s")]),
        ("It opened in the 20th century.", "It opened in 1994.", []),
        ("It lasted from 2003-04.", "It lasted from 2003 to 2004.", []),
        ("It weighs 2000 kg.", "It weighs 2 tonnes.", []),
        ("In Rome, Ada met Charles Babbage.", "Ada met a man in Rome.", [("name", "Charles Babbage")]),
        ("In Rome, Ada met Charles Babbage.", "Ada met Mr Babbage in Rome.", []),
        ("The agency NASA flew.", "The National Aeronautics and Space Administration flew.", []),
        ("The National Aeronautics Space Administration flew.", "NASA flew.", []),
        ("The Russians won.", "Russia won.", []),
        # the first word of a sentence has a capital whatever it is
        ("Ferries leave.", "Boats leave.", []),
        ("Ferries leave. No Ferries stay.", "Boats leave.", [("name", "Ferries"), ("name", "Ferries")]),
        ("A HEADLINE IN CAPITALS", "nothing of it", []),
        ("They drank été wine with β-blockers in 港口.", "Nothing.", []),
        ("The port is not open.", "The port is open.", [("negation", "open")]),
        ("The port is open.", "Dogs bark. The port is not open.", [("negation", "open")]),
        ("", "anything", []),
        ("anything at all", "", []),
    ],
)
def test_findings(claim, evidence, expected):
    assert doubts(claim, evidence) == expected


def test_a_finding_shows_where_it_stands():
    claim = "In 1990 the dose was 7 mg."
    found = findings(claim, "The dose was 5 mg.")
    assert [finding.text for finding in found] == ["1990", "7 mg"]
    for finding in found:
        assert claim[finding.span.start : finding.span.end] == finding.text


@pytest.mark.parametrize(
    ("claim", "evidence", "expected"),
    [
        ("The port is 5433.", "By default the port is 5432.", ["number"]),
        ("It was founded in 1990.", "It was founded in 1991 by Ada.", ["date"]),
        ("The dose is 5 mg.", "The dose is 5 kg.", ["unit"]),
        ("The port is not open.", "The port is open.", ["negation"]),
        # no other number stands in its place
        ("The port is 5433.", "The port is open.", []),
        ("It was founded in 1990.", "It was founded by Ada.", []),
        ("The port is 5433.", "The port of the city has 12 cranes.", []),
        # another sentence, about something else
        ("The port is 5433.", "Dogs bark 12 times.", []),
        ("The port is 5432.", "The port is 5432.", []),
        ("", "The port is 5432.", []),
    ],
)
def test_contradictions(claim, evidence, expected):
    assert [found.doubt.value for found in contradictions(claim, evidence, alike=0.6)] == expected


def test_what_stands_anywhere_is_not_missing():
    facts = TextFacts("Dogs bark. " * 50 + "The port is 5432. " + "Cats sleep. " * 50)
    assert missing("The port of Ada is 5432.", facts) != []
    assert {found.doubt for found in missing("The port of Ada is 5432.", facts)} == {Doubt.NAME}


words = st.sampled_from(
    [
        "the",
        "Ada",
        "Rome",
        "in",
        "1990",
        "12",
        "mg",
        "5",
        "March",
        "not",
        "open",
        "two",
        "%",
        "3.5",
        "U.S.",
        "港口",
    ]
)
lines = st.lists(words, max_size=10).map(" ".join)


@pytest.mark.slow
@given(lines, lines, lines)
def test_a_text_lacks_nothing_of_itself(before, line, after):
    assert missing(line, TextFacts(f"{before}. {line} . {after}")) == []
    assert findings(line, line) == ()


@pytest.mark.slow
@given(lines, lines, lines)
def test_more_evidence_is_never_more_missing(claim, evidence, more):
    few = {(f.doubt, f.span) for f in missing(claim, TextFacts(evidence))}
    many = {(f.doubt, f.span) for f in missing(claim, TextFacts(f"{evidence} . {more}"))}
    # a number with another unit is a number at all
    assert {span for _, span in many} <= {span for _, span in few}


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_checked(claim, evidence):
    known = f"The dose was 7,777 mg. {claim}"
    missed = findings(known, evidence)
    assert missed
    for finding in (*missed, *contradictions(known, evidence, alike=0.1)):
        assert known[finding.span.start : finding.span.end] == finding.text != ""
