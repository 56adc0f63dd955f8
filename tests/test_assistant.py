"""The façade: index, search, ask, with models of one's own."""

import asyncio
import dataclasses
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from hybrid import Answer, Arm, Assistant, load_settings
from hybrid.adaptation.store import read_card
from hybrid.adaptation.values import AdapterKind
from hybrid.errors import AdapterError, IndexMismatch, IndexMissing, LikelihoodMissing, UsageError
from hybrid.grounding import judge
from hybrid.grounding.judge import load_grounder
from hybrid.grounding.sampling import sampled
from hybrid.grounding.values import Status
from hybrid.index.sync import put_in_force, reembed
from hybrid.models.loading import load_embedder
from hybrid.testing import HashEmbedder, OverlapReranker, ScriptedGenerator
from hybrid.types import Question

_FILES = {
    "port.txt": "The default port of the server is 5432.",
    "night.txt": "The server restarts every night at two.",
    "guide/backup.txt": "Backups are written to the archive folder each hour.",
}


@pytest.fixture
def docs(tmp_path, write_files):
    return write_files(tmp_path / "docs", _FILES)


@pytest.fixture
def assistant(docs):
    settings = load_settings({"documents": {"workers": 1}, "grounding": {"scorer": "align"}}, environment={})
    assistant = Assistant(
        "manual",
        settings=settings,
        embedder=HashEmbedder(64),
        generator=ScriptedGenerator(["It is 5432 [1]."]),
    )
    assistant.index(docs)
    return assistant


@pytest.mark.slow
def test_the_greatest_of_all_rows_of_a_file_is_told_and_is_among_the_hits(assistant, docs):
    prices = "".join(f"Lamp {n},{10 + n * 7 % 41}\n" for n in range(1, 31))
    (docs / "lamps.csv").write_text(f"lamp,price\n{prices}")
    assistant.index(docs)
    answer = assistant.ask("Which lamp has the highest price?", arm="rag")
    assert answer.text == "Lamp 29, price: 49. [1]"
    assert "lamps.csv#29" in {hit.chunk.source for hit in answer.hits}
    *_, streamed = assistant.stream("Which lamp has the highest price?", arm="rag")
    assert streamed.text == answer.text


def test_an_answer_has_the_digest_of_all_that_decided_it(assistant, docs):
    answer = assistant.ask("What is the default port of the server?")
    digest = assistant.asked.identity(answer)
    assert assistant.asked.identity(assistant.ask("When does it restart?")) == digest
    assert assistant.asked.identity(assistant.ask("When does it restart?", arm="rag:k=2")) != digest
    (docs / "more.txt").write_text("The log is kept for a week.")
    assistant.index(docs)
    assert assistant.asked.identity(assistant.ask("When does it restart?")) != digest
    assert assistant.asked.identity(assistant.ask("Hello!")) == ""


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", ".hidden"])
def test_a_name_that_is_a_path_is_refused(name):
    with pytest.raises(UsageError, match="not a name for a domain"):
        Assistant(name, embedder=HashEmbedder())


def test_index_search_and_ask(assistant, tmp_path):
    assert assistant.folder.resolve() == tmp_path / "indexes" / "manual"
    assert assistant.search("default port")[0].chunk.source == "port.txt"
    answer = assistant.ask("What is the default port of the server?")
    assert isinstance(answer, Answer) and not answer.abstained
    assert [citation.source for citation in answer.citations] == ["port.txt"]
    for citation in answer.citations:
        document = assistant.retriever.index.document(citation.source)
        assert document.text[citation.start : citation.end] == citation.text


def test_many_questions_have_an_answer_each(assistant):
    answers = assistant.ask_all(["default port of the server?", "When does the server restart?"])
    assert [answer.question for answer in answers] == [
        "default port of the server?",
        "When does the server restart?",
    ]


def test_the_arm_base_needs_no_index():
    generator = ScriptedGenerator(["Paris."])
    assistant = Assistant("none", embedder=HashEmbedder(), generator=generator)
    answer = assistant.ask("What is the capital of France?", arm=Arm.BASE)
    assert (answer.arm, answer.hits, answer.text) == (Arm.BASE, (), "Paris.")
    assert len(generator.history) == 1


def test_samples_tell_how_sure_an_answer_without_passages_is():
    replies = ["The port is 5432."] * 4 + ["Elephants eat grass."]
    assistant = Assistant("none", embedder=HashEmbedder(), generator=ScriptedGenerator(replies))
    answer = assistant.ask("Which port is it?", arm=Arm.BASE)
    found = assistant.asked.uncertainty(answer, samples=5)
    assert found == assistant.asked.uncertainty(answer, samples=5)
    assert (found.samples, found.agreement, found.meanings) == (tuple(replies), 0.8, 2)
    assert found.entropy == pytest.approx(0.5004, abs=1e-4)
    assert found.least_log_probability < found.log_probability < 0
    assert assistant.asked.uncertainty(answer, samples=2).agreement == 1.0


@pytest.mark.slow
def test_samples_of_many_answers_are_those_of_each_and_what_declined_has_none(adapted):
    asked = ["What is the default port?", "And at night?"]
    base, adapter = (adapted.ask(asked[0], arm=arm) for arm in (Arm.BASE, Arm.ADAPTER))
    declined = dataclasses.replace(base, abstained=True)
    together = sampled(
        [adapter, declined, base],
        lambda: adapted.grounder.scorer,
        lambda arm: adapted.asked.contenders(arm, [])[0].answerer,
        samples=2,
    )
    assert together == [
        adapted.asked.uncertainty(adapter, samples=2),
        None,
        adapted.asked.uncertainty(base, samples=2),
    ]
    assert [together[place].samples[0] for place in (0, 2)] == ["The first.", "It is 5432 [1]."]


def test_a_generator_that_judges_no_text_still_samples():
    class Endpoint(ScriptedGenerator):
        def log_probabilities(self, conversations, continuations):
            raise LikelihoodMissing("an endpoint tells none")

    assistant = Assistant("none", embedder=HashEmbedder(), generator=Endpoint(["Paris."]))
    found = assistant.asked.uncertainty(assistant.ask("The capital of France?", arm=Arm.BASE))
    assert (found.agreement, found.log_probability, found.least_log_probability) == (1.0, None, None)


def test_another_error_of_the_generator_is_not_taken_for_that():
    class Full(ScriptedGenerator):
        def log_probabilities(self, conversations, continuations):
            raise UsageError("a prompt of 9 tokens and an answer of 9 do not fit")

    assistant = Assistant("none", embedder=HashEmbedder(), generator=Full(["Paris."]))
    with pytest.raises(UsageError, match="do not fit"):
        assistant.asked.uncertainty(assistant.ask("The capital of France?", arm=Arm.BASE))


def test_answers_with_passages_are_checked_and_not_sampled(assistant):
    answer = assistant.ask("What is the default port of the server?")
    with pytest.raises(UsageError, match="checked against them"):
        assistant.asked.uncertainty(answer)


@pytest.mark.slow
@pytest.mark.parametrize("arm", [Arm.ADAPTER, Arm.BOTH])
def test_the_arms_with_an_adapter_say_that_there_is_none(assistant, arm):
    with pytest.raises(AdapterError, match="need a generator adapter"):
        assistant.ask("anything?", arm=arm)
    with pytest.raises(AdapterError, match="need a generator adapter"):
        list(assistant.stream("anything?", arm=arm))


@pytest.fixture
def adapted(assistant, keep_adapter):
    """The assistant with two adapters, the first one in use."""
    assistant.generator.tuned = {"generator-001": ["The first."], "generator-002": ["The second."]}
    keep_adapter(assistant.folder, "generator-001")
    keep_adapter(assistant.folder, "generator-002", promote=False)
    return assistant


@pytest.mark.slow
def test_the_arm_adapter_asks_the_adapter_in_use_and_base_the_base(adapted):
    asked = "What is the default port?"
    assert adapted.ask(asked, arm=Arm.ADAPTER).text == "The first."
    assert adapted.ask(asked, arm=Arm.BASE).text == "It is 5432 [1]."
    adapted.adapters.promote("generator-002", force=True)
    *_, answer = adapted.stream(asked, arm=Arm.ADAPTER)
    assert (answer.text, answer.arm) == ("The second.", Arm.ADAPTER)
    adapted.adapters.rollback(AdapterKind.GENERATOR)
    assert adapted.ask(asked, arm=Arm.ADAPTER).text == "The first."


@pytest.mark.slow
def test_the_arm_both_has_passages_and_the_adapter(adapted):
    answer = adapted.ask("What is the default port of the server?", arm=Arm.BOTH)
    assert answer.arm is Arm.BOTH
    assert answer.hits[0].chunk.source == "port.txt"
    assert answer.reader == "generator"


@pytest.mark.slow
def test_settings_name_an_adapter_or_none(adapted):
    def named(name):
        settings = load_settings(
            {"models": {"generator_adapter": name}, "grounding": {"scorer": "align"}}, environment={}
        )
        own = {"embedder": HashEmbedder(64), "generator": adapted.generator}
        return Assistant("manual", settings=settings, **own)

    assert named("generator-002").ask("what?", arm=Arm.ADAPTER).text == "The second."
    with pytest.raises(AdapterError, match="'generator-009' in the domain 'manual'; there are"):
        named("generator-009").ask("what?", arm=Arm.ADAPTER)
    with pytest.raises(AdapterError, match="need a generator adapter"):
        named("none").ask("what?", arm=Arm.ADAPTER)


# --- the arm that was decided on -------------------------------------------------------------------

_PORT = "What is the default port of the server?"


def _decide(assistant, arm):
    (assistant.folder / "DECISION").write_text(json.dumps({"arm": arm, "experiment": "x"}))


def _all_ways(assistant, **given):
    *_, streamed = assistant.stream(_PORT, **given)
    return [assistant.ask(_PORT, **given), assistant.ask_all([_PORT], **given)[0], streamed]


@pytest.mark.slow
def test_without_a_decision_rag_answers(assistant):
    assert assistant.asked.decided is None
    assert [answer.variant for answer in _all_ways(assistant)] == ["rag"] * 3


@pytest.mark.slow
def test_a_question_without_an_arm_is_answered_by_the_decision(assistant):
    _decide(assistant, "rag:reader=generator:k=2")
    assert assistant.asked.decided.name == "rag:reader=generator:k=2"
    for answer in _all_ways(assistant):
        assert (answer.variant, answer.arm, answer.reader) == (
            "rag:reader=generator:k=2", Arm.RAG, "generator",
        )  # fmt: skip
        assert len(answer.hits) == 2
    _decide(assistant, "base")
    assert [answer.hits for answer in _all_ways(assistant)] == [()] * 3


@pytest.mark.slow
def test_an_arm_that_is_named_wins_over_the_decision(assistant):
    _decide(assistant, "base")
    for arm in (Arm.RAG, "rag:k=1"):
        for answer in _all_ways(assistant, arm=arm):
            assert (answer.variant, answer.reader) == (arm, "extractive")
    with pytest.raises(UsageError, match="there is no arm 'ragg'"):
        assistant.ask(_PORT, arm="ragg")


@pytest.mark.slow
def test_what_a_comparison_chose_is_adopted_and_an_undecided_one_changes_nothing(assistant):
    assistant.generator.replies = ["I would not know the number."]
    asked = [Question(f"q{n}", f"{_PORT} ({n})", ("5432",), source=f"s{n}") for n in range(40)]
    chosen = assistant.compare(asked, arms="base,rag:k=2")
    assert chosen.decision.arm == "rag:k=2"
    assert assistant.adopt(chosen) == "rag:k=2"
    assert assistant.ask(_PORT).variant == "rag:k=2"
    undecided = dataclasses.replace(chosen, decision=dataclasses.replace(chosen.decision, arm=None))
    assert assistant.adopt(undecided) is assistant.adopt(dataclasses.replace(chosen, decision=None)) is None
    assert assistant.asked.decided.name == "rag:k=2"


_OPEN = Question("1", "Which port?", ("5432",))


def _adopted(assistant, arm, asked=(_OPEN,)):
    """Return what is written down when this arm was chosen."""

    class Chosen:
        folder = assistant.folder / "experiments" / "x"
        questions = asked

        class decision:
            sentence = "Run it."

    Chosen.decision.arm = arm
    return assistant.adopt(Chosen)


def test_an_arm_that_was_chosen_for_labels_does_not_answer_open_questions(assistant):
    label = Question("1", "May it be assigned?", ("Yes",), options=("Yes", "No"))
    assert _adopted(assistant, "base", [label]) == "base"
    assert (assistant.asked.decided.name, assistant.asked.usual.name) == ("base", "rag")
    assert assistant.ask(_PORT).variant == "rag"
    mixed = [label, dataclasses.replace(_OPEN, id="2")]
    assert _adopted(assistant, "base", mixed) == assistant.asked.usual.name == "base"


def test_an_arm_of_labels_answers_where_there_are_no_documents(tmp_path):
    alone = Assistant("alone", settings=load_settings({"indexes": str(tmp_path)}))
    label = Question("1", "May it be assigned?", ("Yes",), options=("Yes", "No"))
    alone.folder.mkdir(parents=True)
    assert _adopted(alone, "base", [label]) == alone.asked.usual.name == "base"


@pytest.mark.slow
def test_an_adopted_arm_stays_what_it_was(adapted):
    assert _adopted(adapted, "rag:k=2") == "rag:k=2"
    assert _adopted(adapted, "both:k=2") == "both:k=2:generator_adapter=generator-001"
    named = "adapter:generator_adapter=generator-002"
    assert _adopted(adapted, named) == named
    assert adapted.ask(_PORT).text == "The second."


@pytest.mark.slow
def test_one_question_is_asked_of_several_arms_and_nothing_is_written_down(assistant):
    base, rag = assistant.asked.side_by_side(_PORT, "base,rag:k=1")
    assert (base.arm, base.passages, base.answer) == ("base", (), "It is 5432 [1].")
    assert (rag.arm, len(rag.passages)) == ("rag:k=1", 1)
    assert not (assistant.folder / "experiments").exists()


@pytest.mark.slow
def test_a_comparison_counts_what_training_took(adapted, keep_adapter):
    keep_adapter(adapted.folder, "generator-003", seconds=1800.0)
    question = Question("q", "What is the default port of the server?", ("5432",))
    costs = adapted.compare([question], arms="base,adapter").costs
    assert (costs["base"].training_minutes, costs["base"].training_money) == (0.0, 0.0)
    assert costs["adapter"].training_minutes == 30.0
    assert costs["adapter"].training_money == pytest.approx(adapted.settings.prices.training_hour / 2)


@pytest.mark.slow
def test_a_comparison_is_a_table_and_a_document(assistant):
    found = assistant.compare([Question("q", _PORT, ("5432",))], arms="base,rag:k=1")
    header, *rows = found.figures()
    cells = {row[0]: row[1:] for row in rows}
    assert header == ["", "base", "rag:k=1"]
    assert cells["contains_gold"] == ["1.00", "1.00"]
    assert cells["citations"] == ["0", "1"]
    assert "joules" not in cells or "-" not in cells["joules"]
    document = found.document()
    assert [arm["arm"] for arm in document["arms"]] == ["base", "rag:k=1"]
    assert document["decision"]["verdict"] == found.decision.verdict
    (alone,) = assistant.compare([Question("q", _PORT, ("5432",))], arms="rag").document()["arms"]
    assert alone["arm"] == "rag"


@pytest.mark.slow
def test_answers_are_judged_by_the_scorer_of_the_settings(adapted):
    question = Question("q", "What is the default port of the server?", ("5432",))

    def judge(scorer):
        settings = load_settings({"grounding": {"scorer": scorer}}, environment={})
        own = {"embedder": HashEmbedder(64), "generator": adapted.generator}
        return Assistant("manual", settings=settings, **own).compare([question], arms="base").judge

    assert judge("align") == "word alignment, fake/hash"
    assert judge("overlap") == "2-gram overlap"
    with pytest.raises(UsageError, match="there is no scorer 'nonsense'"):
        judge("nonsense")


@pytest.mark.slow
def test_an_empty_question_is_a_usage_error(assistant):
    with pytest.raises(UsageError, match="empty"):
        assistant.ask("  ")
    with pytest.raises(UsageError, match="empty"):
        list(assistant.stream("  "))


@pytest.mark.slow
def test_an_answer_is_checked_against_its_passages(assistant):
    answer = assistant.ask("What is the default port of the server?")
    grounding = assistant.check(answer)
    (verdict, *_) = grounding.verdicts
    assert verdict.status is Status.SUPPORTED
    passage = answer.hits[verdict.evidence.passage].chunk.text
    assert verdict.evidence.text == passage[verdict.evidence.spans[0].start : verdict.evidence.spans[-1].end]
    changed = dataclasses.replace(answer, text="The default port of the server is 5433.")
    assert [found.status for found in assistant.check(changed).verdicts] == [Status.CONTRADICTED]


@pytest.mark.slow
def test_a_row_of_a_table_is_judged_as_a_sentence_and_stands_where_it_was_read(tmp_path, write_files):
    rows = "\n".join(f"| P{row} | {row} | {row + 10} |" for row in range(80))
    docs = write_files(
        tmp_path / "t", {"t.md": f"# Parts\n\n| Part | Stock | Price |\n|---|---|---|\n{rows}\n"}
    )
    settings = load_settings({"documents": {"workers": 1}, "grounding": {"scorer": "align"}}, environment={})
    assistant = Assistant("parts", settings=settings, embedder=HashEmbedder(64))
    assistant.index(docs)
    answer = assistant.ask("What is the stock of part P55?")
    assert answer.text.startswith("P55, Stock: 55.")
    assert answer.citations[0].line == 60
    (verdict, *_) = assistant.check(answer).verdicts
    chunk = answer.hits[verdict.evidence.passage].chunk
    (span, *_) = verdict.evidence.spans
    assert "P55: Stock 55; Price 65" in verdict.evidence.text
    assert "P55 | 55 | 65" in chunk.text[span.start : span.end]


@pytest.mark.slow
def test_the_judge_is_loaded_once_with_the_embedder_of_ones_own_and_only_if_there_is_something_to_check(
    assistant, monkeypatch
):
    loaded = []

    def load(settings, domain, *, embedder):
        loaded.append((domain, embedder))
        return load_grounder(settings, domain, embedder=embedder)

    monkeypatch.setattr(judge, "load_grounder", load)
    answer = assistant.ask("What is the default port of the server?")
    assert assistant.check(dataclasses.replace(answer, abstained=True)) is None
    assert assistant.check(assistant.ask("what?", arm=Arm.BASE)) is None
    assert loaded == []
    assert assistant.check(answer) == assistant.check(answer)
    assert loaded == [(assistant.folder, assistant.embedder)]


@pytest.mark.slow
def test_a_stream_ends_with_the_answer(assistant):
    *pieces, answer = assistant.stream("What is the default port of the server?")
    assert isinstance(answer, Answer)
    assert all(isinstance(piece, str) for piece in pieces)
    assert "".join(pieces).strip() == answer.text.strip()


def test_without_an_index_the_error_says_how_to_build_one():
    with pytest.raises(IndexMissing) as caught:
        Assistant("none", embedder=HashEmbedder()).search("x")
    assert "hybrid index" in caught.value.hint


@pytest.mark.slow
def test_an_index_of_another_embedder_is_refused(assistant):
    with pytest.raises(IndexMismatch):
        Assistant("manual", settings=assistant.settings, embedder=HashEmbedder(32)).search("port")


@pytest.mark.slow
def test_a_new_generation_is_seen_by_the_next_question(assistant, docs):
    assistant.search("port")
    same = assistant.retriever
    assert assistant.retriever is same
    (docs / "new.txt").write_text("Certificates expire after ninety days.")
    Assistant("manual", settings=assistant.settings, embedder=HashEmbedder(64)).index(docs)
    assert assistant.search("certificates expire")[0].chunk.source == "new.txt"
    assert assistant.retriever is not same


@pytest.mark.slow
def test_remove_rollback_and_estimate(assistant, docs):
    assert assistant.estimate(docs).plan.nothing_to_do
    assistant.remove(["guide/*"])
    assert all(hit.chunk.source != "guide/backup.txt" for hit in assistant.search("backups archive"))
    assistant.rollback()
    assert assistant.search("backups archive")[0].chunk.source == "guide/backup.txt"


@pytest.mark.slow
def test_delete_removes_the_whole_domain(assistant):
    assistant.delete()
    assert not assistant.folder.exists()
    with pytest.raises(IndexMissing):
        assistant.search("port")
    with pytest.raises(IndexMissing):
        assistant.delete()


@pytest.mark.slow
def test_conditions_reach_the_search(assistant):
    assert {hit.chunk.source for hit in assistant.search("the server", where={"source": "guide/*"})} == {
        "guide/backup.txt"
    }


@pytest.mark.slow
def test_a_reranker_of_ones_own_is_used(assistant):
    own = Assistant(
        "manual", settings=assistant.settings, embedder=HashEmbedder(64), reranker=OverlapReranker()
    )
    hits = own.search("default port")
    assert hits and all(hit.rerank is not None for hit in hits)


@pytest.mark.slow
def test_the_readme_in_five_lines_with_the_settings_of_the_folder(docs, tmp_path):
    (tmp_path / "hybrid.toml").write_text('indexes = "elsewhere"\n')
    assistant = Assistant("manual", embedder=HashEmbedder())
    assistant.index(str(docs))
    assert (tmp_path / "elsewhere" / "manual" / "CURRENT").is_file()


@pytest.mark.slow
def test_contenders_answer_by_their_arms_and_share_the_models(assistant):
    question = Question("q", "What is the default port of the server?", ("5432",))
    base, rag, written = assistant.asked.contenders("base,rag:k=1,rag:reader=generator", [question])
    assert [one.name for one in (base, rag, written)] == ["base", "rag:k=1", "rag:reader=generator"]
    assert [len(one.answer_all([question])[0].hits) for one in (base, rag)] == [0, 1]
    assert base.answerer.generator() is written.answerer.generator() is assistant.generator
    assert rag.retriever.index is written.retriever.index


# --- adapters on the embedder ----------------------------------------------------------------------


@pytest.fixture
def embedding(docs, tiny_embedder_folder, tiny_embedder_adapter_folder, tmp_path, monkeypatch):
    """An assistant whose domain has an adapter for its embedder, embedded but not in force."""
    monkeypatch.setenv("HYBRID_MODELS__EMBEDDER", str(tiny_embedder_folder))
    monkeypatch.setenv("HYBRID_MODELS__DTYPE", "float32")
    monkeypatch.setenv("HYBRID_DOCUMENTS__WORKERS", "1")
    assistant = Assistant("manual", generator=ScriptedGenerator(["It is 5432 [1]."]))
    assistant.index(docs)
    built = shutil.copytree(tiny_embedder_adapter_folder, tmp_path / "built")
    assistant.adapters.add("embedder-001", built, read_card(built))
    reembed(assistant.folder, _tuned(assistant))
    return assistant


def _tuned(assistant):
    return load_embedder(assistant.settings.models, assistant.adapters.folder("embedder-001"))


def _found(assistant, arm):
    question = Question("q", "What is the default port of the server?", ("5432",))
    (contender,) = assistant.asked.contenders(arm, [question])
    return contender


@pytest.mark.slow
def test_an_arm_with_a_tuned_embedder_searches_what_that_embedded(embedding):
    usual, none, tuned = (
        _found(embedding, arm)
        for arm in ("rag", "rag:embedder_adapter=none", "rag:embedder_adapter=embedder-001")
    )
    assert usual.identity == none.identity
    assert usual.retriever.index is none.retriever.index
    assert tuned.identity["index_generation"] != usual.identity["index_generation"]
    assert tuned.identity["embedder"] != usual.identity["embedder"]
    assert (usual.training_minutes, tuned.training_minutes) == (0.0, 1.5)
    question = Question("q", "What is the default port of the server?", ("5432",))
    first, second = (arm.answer_all([question])[0].hits[0].dense for arm in (usual, tuned))
    assert first != second


@pytest.mark.slow
def test_search_follows_the_embedder_whose_generation_is_in_force(embedding):
    before = embedding.search("default port")[0].dense
    put_in_force(embedding.folder, _tuned(embedding).fingerprint)
    assert embedding.embedder is _tuned(embedding)
    assert embedding.search("default port")[0].dense != before
    assert (
        _found(embedding, "rag").identity == _found(embedding, "rag:embedder_adapter=embedder-001").identity
    )
    assert _found(embedding, "rag").training_minutes == 1.5
    embedding.rollback()
    assert embedding.search("default port")[0].dense == before


@pytest.mark.slow
def test_an_update_keeps_the_tuned_embedder(embedding, docs, write_files):
    put_in_force(embedding.folder, _tuned(embedding).fingerprint)
    embedding.index(write_files(docs, {"new.txt": "Certificates expire each year."}))
    assert embedding.retriever.index.manifest.embedder == _tuned(embedding).fingerprint
    assert "new.txt" in embedding.retriever.index.sources()


@pytest.mark.slow
def test_an_index_whose_adapter_is_gone_says_how_to_go_on(embedding, docs, monkeypatch):
    put_in_force(embedding.folder, _tuned(embedding).fingerprint)
    embedding.adapters.remove("embedder-001")
    with pytest.raises(AdapterError, match="was embedded with an adapter") as caught:
        Assistant("manual").search("default port")
    assert "hybrid rollback" in caught.value.hint
    monkeypatch.setenv("HYBRID_MODELS__EMBEDDER_ADAPTER", "none")
    again = Assistant("manual")
    again.index(docs, rebuild=True)
    assert again.search("default port")[0].chunk.source


@pytest.mark.slow
def test_an_arm_whose_embedder_embedded_nothing_says_so(embedding, docs, write_files):
    embedding.index(write_files(docs, {"new.txt": "Certificates expire each year."}))
    with pytest.raises(IndexMissing, match="is not embedded with this embedder"):
        _found(embedding, "rag:embedder_adapter=embedder-001")


@pytest.mark.slow
def test_small_talk_is_answered_without_retrieval_and_a_question_behind_it_is_one(assistant, monkeypatch):
    question = "Hi, what is the default port of the server?"
    answer = assistant.ask(question)
    assert (answer.question, answer.standalone, answer.citations[0].source) == (question, "", "port.txt")
    assert answer.text == assistant.ask(question.removeprefix("Hi, ")).text
    monkeypatch.setattr(assistant.retriever.__class__, "search_all", lambda *_, **__: pytest.fail("searched"))
    hello, about = assistant.ask_all(["hello", "what can you do?"])
    assert (hello.abstained, hello.hits, hello.reader) == (False, (), "talk")
    assert "manual (3 documents, for example guide/backup.txt, night.txt, port.txt)" in about.text
    assert list(assistant.stream("hello")) == [hello.text, hello]
    assert assistant.check(hello) is None
    assert assistant.ask("hello", arm=Arm.BASE).reader == "generator"


@pytest.mark.slow
def test_a_greeting_with_a_slip_is_a_question_where_the_documents_have_the_word(docs, assistant):
    assert assistant.ask("thansk").reader == "talk"
    (docs / "thansk.txt").write_text("Thansk is a village in the north.")
    assistant.index(docs)
    assert assistant.ask("thansk").reader == "extractive"


@pytest.mark.slow
def test_what_declines_names_the_closest_places_and_all_is_json(assistant):
    declined = assistant.ask("Who was the queen of Denmark in the year 1350?")
    assert declined.abstained
    assert 0 < len(declined.closest) <= 3
    found = json.loads(json.dumps(declined.to_dict()))
    assert found["closest"][0]["source"] == declined.hits[0].chunk.source
    assert (found["arm"], found["text"]) == ("rag", declined.text)
    answer = assistant.ask("default port of the server?")
    assert answer.closest == ()
    (citation,) = answer.to_dict()["citations"]
    assert (citation["heading"], citation["line"], citation["page"]) == ("", 1, None)


@pytest.mark.slow
def test_two_threads_ask_one_assistant_and_async_code_too(assistant):
    questions = ["default port of the server?", "When does the server restart?", "hello"] * 20
    alone = {question: assistant.ask(question).text for question in questions[:3]}
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(assistant.ask, questions))
        streamed = list(threads.map(lambda question: [*assistant.stream(question)][-1], questions))
    assert [answer.text for answer in found] == [alone[question] for question in questions]
    assert [answer.text for answer in streamed] == [alone[question] for question in questions]

    async def together(found):
        found += await asyncio.gather(*(asyncio.to_thread(assistant.ask, one) for one in questions[:6]))

    gathered = []
    asyncio.run(together(gathered))
    assert [answer.text for answer in gathered] == [alone[one] for one in questions[:6]]
