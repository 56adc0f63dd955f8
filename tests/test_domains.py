"""Several domains behind one door: the right one answers, none a stranger, and domains come and go."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from hybrid import Assistant, Assistants, load_settings
from hybrid.errors import IndexMismatch, IndexMissing, UsageError
from hybrid.routing.domains import ROUTER_FILE
from hybrid.testing import HashEmbedder, ScriptedGenerator

_WORDS = {
    "garden": [
        "rose",
        "tulip",
        "compost",
        "hedge",
        "lawn",
        "shears",
        "seedling",
        "trellis",
        "mulch",
        "orchard",
    ],
    "kitchen": [
        "oven",
        "recipe",
        "butter",
        "saucepan",
        "whisk",
        "dough",
        "simmer",
        "pantry",
        "broth",
        "skillet",
    ],
    "harbour": [
        "anchor",
        "ferry",
        "pilot",
        "quay",
        "tide",
        "mooring",
        "cargo",
        "lighthouse",
        "buoy",
        "dredger",
    ],
}
_STRANGERS = [
    "Who wrote the symphony in minor?",
    "Which senator won the election?",
    "What is a quark made of?",
]


def _documents(words):
    return {
        f"{word}.txt": f"The {word} needs care in spring. Keep the {word} near the {words[place - 1]}."
        for place, word in enumerate(words)
    }


def _question(word, other):
    return f"How do I look after the {word} beside the {other}?"


def _label(indexes, domain, words):
    folder = indexes / domain / "questions"
    folder.mkdir()
    rows = [
        {"id": word, "question": _question(word, words[place - 1]), "answers": ["-"], "source": f"{word}.txt"}
        for place, word in enumerate(words[:6])
    ]
    (folder / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Three domains with labelled questions and a router, for copying."""
    folder = tmp_path_factory.mktemp("built")
    for name, words in _WORDS.items():
        _index(folder, name, words)
        _label(folder / "indexes", name, words)
    with _opened(folder / "indexes") as opened:
        opened.fit_router()
    return folder / "indexes"


@pytest.fixture
def indexes(built, tmp_path):
    shutil.copytree(built, tmp_path / "indexes")
    return tmp_path / "indexes"


def _settings(indexes):
    return load_settings({"documents": {"workers": 1}, "indexes": str(indexes)}, environment={})


def _index(tmp_path, name, words):
    docs = tmp_path / "docs" / name
    docs.mkdir(parents=True)
    for source, text in _documents(words).items():
        (docs / source).write_text(text)
    Assistant(name, settings=_settings(tmp_path / "indexes"), embedder=HashEmbedder(256)).index(docs)


def _opened(indexes, domains=None, **options):
    own = {"embedder": HashEmbedder(256), "generator": ScriptedGenerator(["I know it."])} | options
    return Assistants(domains=domains, settings=_settings(indexes), **own)


@pytest.fixture
def assistants(indexes):
    with _opened(indexes) as opened:
        yield opened


def _asked():
    """Questions that were never labelled, with their domain."""
    return [
        (_question(words[place], words[place - 1]), name)
        for name, words in _WORDS.items()
        for place in range(6, 10)
    ]


@pytest.mark.slow
def test_a_question_is_answered_by_the_domain_it_belongs_to(assistants):
    assert len(_asked()) == 12
    for question, name in _asked():
        answer = assistants.ask(question)
        assert (answer.domain, answer.route.domain) == (name, name)
        assert answer.hits
        assert answer.route.probability > 0.5 and answer.route.margin > 0
        assert answer.route.chances[0].domain == name
        assert sum(one.probability for one in answer.route.chances) == pytest.approx(1)
        assert "labelled questions" in answer.route.reason


@pytest.mark.parametrize("question", _STRANGERS)
def test_a_question_of_no_domain_is_declined_and_says_of_which(assistants, question):
    answer = assistants.ask(question)
    assert answer.abstained and not answer.domain and not answer.hits
    assert answer.route.domain == "" and answer.route.reason.startswith("nearest is ")
    assert all(name in answer.text for name in _WORDS)
    assert list(assistants.stream(question)) == [answer.text, answer]
    assert assistants.check(answer) is None


def test_a_question_in_a_language_that_no_domain_speaks_is_told_what_to_set(tmp_path):
    docs = tmp_path / "leave"
    docs.mkdir()
    (docs / "leave.txt").write_text("The notice period is four weeks, and it is the same for all of us.")
    Assistant("hr", settings=_settings(tmp_path / "indexes"), embedder=HashEmbedder(256)).index(docs)
    with _opened(tmp_path / "indexes") as opened:
        answer = opened.ask("¿Cuántos días de vacaciones tengo después de cuatro años?")
    assert answer.abstained and "models.embedder" in answer.text and "español" in answer.text


def test_a_domain_that_is_named_is_asked_whatever_the_router_would_say(assistants):
    answer = assistants.ask(_question("rose", "tulip"), domain="harbour", arm="base")
    assert (answer.domain, answer.route, answer.arm) == ("harbour", None, "base")
    with pytest.raises(IndexMissing, match=r"no domain 'moon'.*garden, harbour, kitchen"):
        assistants.ask("What?", domain="moon")


@pytest.mark.slow
def test_one_and_many_and_streamed_are_the_same(assistants):
    questions = [question for question, _ in _asked()] + _STRANGERS
    together = assistants.ask_all(questions)
    for question, answer in zip(questions, together, strict=True):
        alone, *_, streamed = assistants.ask(question), *assistants.stream(question)
        assert (answer.text, answer.route) == (alone.text, alone.route) == (streamed.text, streamed.route)


@pytest.mark.slow
def test_four_threads_get_what_one_gets(assistants):
    questions = ([question for question, _ in _asked()] + _STRANGERS) * 14
    alone = [assistants.ask(question) for question in questions[:15]]
    expected = {answer.question: (answer.text, answer.domain, answer.citations) for answer in alone}
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(assistants.ask, questions[:200]))
    assert len(found) == 200
    assert all((one.text, one.domain, one.citations) == expected[one.question] for one in found)


def test_a_domain_without_labels_is_known_by_its_passages(indexes):
    shutil.rmtree(indexes / "harbour" / "questions")
    with _opened(indexes) as opened:
        card = opened.fit_router()
        assert set(card.domains) == {"garden", "kitchen"}
        routes = [(opened.route(question), name) for question, name in _asked()]
    assert [route.domain for route, _ in routes] == [name for _, name in routes]


def test_a_router_that_was_never_fitted_knows_the_nearer_domain(indexes):
    (indexes / ROUTER_FILE).unlink()
    with _opened(indexes) as opened:
        routes = [opened.route(question) for question, _ in _asked()]
    nearest = [next(one.domain for one in route.chances if one.domain) for route in routes]
    assert nearest == [name for _, name in _asked()]


@pytest.mark.slow
def test_a_domain_may_come_without_a_new_fit(assistants, tmp_path):
    words = ["violin", "cello", "oboe", "timpani", "baton", "sonata"]
    _index(tmp_path, "music", words)
    assert assistants.domains == ("garden", "harbour", "kitchen", "music")
    assert assistants.ask(_question("oboe", "cello")).domain == "music"
    assert assistants.ask(_asked()[0][0]).domain == "garden"


def test_a_domain_may_go_while_it_serves(assistants):
    question, name = _asked()[0]
    assert assistants.ask(question).domain == name
    assistants["garden"].delete()
    assert assistants.domains == ("harbour", "kitchen")
    assert assistants.ask(question).abstained
    with pytest.raises(IndexMissing, match="no domain 'garden'"):
        assistants.ask(question, domain="garden")


def test_a_domain_that_cannot_be_read_is_left_out_and_said_to_be(assistants, indexes):
    (indexes / "garden" / "CURRENT").write_text("nothing-there\n")
    assert assistants.ask(_question("ferry", "quay")).domain == "harbour"
    assert list(assistants.left_out()) == ["garden"]
    for name in ("harbour", "kitchen"):
        (indexes / name / "CURRENT").write_text("nothing-there\n")
    with pytest.raises(IndexMissing, match="no domain can be read: garden: "):
        assistants.ask("What?")


def test_models_are_shared(assistants):
    one, other = assistants["garden"], assistants["harbour"]
    assert one.embedder is other.embedder and one.generator is other.generator
    assert assistants["garden"] is one


def test_only_the_domains_that_are_named_are_asked(indexes):
    with _opened(indexes, ["garden", "kitchen"]) as opened:
        assert opened.domains == ("garden", "kitchen")
        assert opened.route(_question("ferry", "quay")).domain != "harbour"
    with pytest.raises(IndexMissing, match=r"no domain 'moon'.*garden, harbour, kitchen"):
        _opened(indexes, ["garden", "moon"])


def test_a_folder_without_domains_is_told(tmp_path):
    with pytest.raises(IndexMissing, match="no index in the folder"):
        _opened(tmp_path / "nothing")
    with pytest.raises(IndexMissing, match="no index in the folder"):
        Assistant.load(tmp_path / "nothing")


def test_the_facade_opens_them_too(indexes):
    with Assistant.load(indexes, ["garden"], settings=_settings(indexes)) as opened:
        assert isinstance(opened, Assistants) and opened.domains == ("garden",)


def test_what_was_closed_is_refused(assistants):
    assistants.close()
    with pytest.raises(UsageError, match="closed"):
        assistants.ask("What?", domain="garden")


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused(assistants, question):
    with pytest.raises(UsageError, match="empty"):
        assistants.ask(question)


@pytest.mark.slow
def test_a_pasted_text_is_routed_as_well(assistants):
    text = f"{_question('rose', 'tulip')} " * 2_500
    assert len(text) > 100_000
    assert assistants.ask(text).domain == "garden"


def test_other_labels_refuse_the_router(assistants, indexes):
    path = indexes / "garden" / "questions" / "asked.jsonl"
    path.write_text(path.read_text().replace("rose", "peony"))
    with pytest.raises(IndexMismatch, match="other labelled questions of 'garden'") as raised:
        assistants.ask("What?")
    assert "hybrid router fit" in raised.value.hint
    assistants.fit_router()
    assert assistants.ask(_asked()[0][0]).domain == "garden"


@pytest.mark.slow
def test_another_embedder_refuses_the_router(assistants, indexes, tmp_path, write_files, other_embedder):
    shutil.rmtree(indexes / "garden")
    docs = write_files(tmp_path / "again", _documents(_WORDS["garden"]))
    for name in ("garden", "kitchen", "harbour"):
        shutil.rmtree(indexes / name, ignore_errors=True)
        Assistant(name, settings=_settings(indexes), embedder=other_embedder).index(docs)
    with _opened(indexes, embedder=other_embedder) as opened:
        with pytest.raises(IndexMismatch, match="another embedder"):
            opened.ask("What?")
        assert opened.ask("What?", domain="garden").domain == "garden"


@pytest.mark.parametrize("left", [0, 7, 200, -9])
def test_a_damaged_router_is_refused_with_the_command_that_mends_it(assistants, indexes, left):
    whole = (indexes / ROUTER_FILE).read_bytes()
    (indexes / ROUTER_FILE).write_bytes(whole[:left])
    with pytest.raises(IndexMismatch, match="cannot be read") as raised:
        assistants.ask("What?")
    assert "hybrid router fit" in raised.value.hint


def test_a_router_takes_two_domains_and_enough_questions(indexes):
    with _opened(indexes, ["garden"]) as opened, pytest.raises(UsageError, match="takes two domains"):
        opened.fit_router()
    path = indexes / "garden" / "questions" / "asked.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[:2]) + "\n")
    with _opened(indexes) as opened, pytest.raises(UsageError, match="too few labelled questions: garden 2"):
        opened.fit_router()
    for name in _WORDS:
        shutil.rmtree(indexes / name / "questions")
    with _opened(indexes) as opened, pytest.raises(UsageError, match="too few labelled questions: none"):
        opened.fit_router()


def test_a_single_domain_is_asked_whatever_a_router_that_is_not_fitted_thinks(indexes):
    (indexes / ROUTER_FILE).unlink()
    with _opened(indexes, ["garden"]) as opened:
        route = opened.route("And what else is there?")
        assert (route.domain, route.probability, route.reason) == ("garden", 1.0, "the only domain")
        assert opened.ask(_STRANGERS[0]).route.domain == "garden"


def test_a_single_domain_still_tells_strangers_from_its_own(assistants, indexes):
    with _opened(indexes, ["garden"]) as opened:
        assert opened.ask(_asked()[0][0]).domain == "garden"
        assert opened.ask(_STRANGERS[0]).abstained
