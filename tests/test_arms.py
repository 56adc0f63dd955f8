"""Arms by name: what a text means, what decides an arm's answers, and how it answers."""

import dataclasses
import gc
import json
import weakref
from pathlib import Path

import pytest

from hybrid.arms import ArmAdapters, DomainArms, OwnModels, parse_arm, parse_arms
from hybrid.assistant import Assistant
from hybrid.config import Reader, load_settings, settings_dict
from hybrid.errors import AdapterError, ConfigError, IndexMissing, ModelMissing, UsageError
from hybrid.testing import HashEmbedder, OverlapReranker, ScriptedGenerator
from hybrid.types import Arm, Document, Question

_FILES = {
    "port.txt": "The default port of the server is 5432.",
    "night.txt": "The server restarts every night at two.",
    "backup.txt": "Backups of the server are written to the archive each hour.",
}
_ASKED = Question("q", "What is the default port of the server?", ("5432",))
_LABELLED = Question(
    "l", "Is the default port 5432?", ("yes it is",), options=("no", "yes it is the default")
)


@pytest.fixture(scope="module")
def settings():
    return load_settings({"documents": {"workers": 1}}, environment={})


@pytest.fixture
def domain(tmp_path, write_files, settings):
    """domain(generator) -> an assistant on three files."""
    docs = write_files(tmp_path / "docs", _FILES)

    def call(generator=None, **models):
        generator = generator or ScriptedGenerator(["It is 5432 [1]."])
        models = {"embedder": HashEmbedder(64), "generator": generator} | models
        assistant = Assistant("manual", settings=settings, **models)
        if not assistant.folder.exists():
            assistant.index(docs)
        return assistant

    return call


# --- names -----------------------------------------------------------------------------------------


def test_a_name_sets_what_it_names_and_nothing_else(settings):
    spec = parse_arm("rag:reader=generator:k=5", settings)
    assert (spec.name, spec.arm, spec.retrieves) == ("rag:reader=generator:k=5", Arm.RAG, True)
    assert (spec.settings.generation.reader, spec.settings.retrieval.k) == (Reader.GENERATOR, 5)
    changed = settings_dict(spec.settings)
    changed["generation"]["reader"], changed["retrieval"]["k"] = Reader.EXTRACTIVE, settings.retrieval.k
    assert changed == settings_dict(settings)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" base ", "base"),
        ("rag: k = 5", "rag:k=5"),
        ("rag:retrieval.k=5:generation.reader=generator", "rag:k=5:reader=generator"),
        ("rag:endpoint=http://localhost:8000/v1:k=2", "rag:endpoint=http://localhost:8000/v1:k=2"),
        ("both:models.generator_adapter=generator-002", "both:generator_adapter=generator-002"),
    ],
)
def test_a_name_is_written_in_one_way(settings, text, name):
    spec = parse_arm(text, settings)
    assert spec.name == name
    assert parse_arm(name, settings) == spec


def test_settings_stay_what_they_are_whatever_lies_about(settings, tmp_path, monkeypatch):
    (tmp_path / "hybrid.toml").write_text("[retrieval]\nk = 99\n")
    monkeypatch.setenv("HYBRID_RETRIEVAL__K", "98")
    assert parse_arm("rag", settings).settings == settings


@pytest.mark.parametrize(
    ("text", "error", "message", "hint"),
    [
        ("", UsageError, "there is no arm ''", "rag:reader=generator:k=5"),
        ("ragg", UsageError, "there is no arm 'ragg'", "ARM[:KEY=VALUE...]"),
        ("rag:reader", UsageError, "there is no arm 'rag:reader'", "ARM[:KEY=VALUE...]"),
        ("rag:readr=generator", ConfigError, "`readr`", "'reader'"),
        ("rag:retrieval.kk=1", ConfigError, "`retrieval.kk`", "'retrieval.k'"),
        ("rag:max_pages=1", ConfigError, "`max_pages`", ""),
        ("rag:k=many", ConfigError, "`retrieval.k` is 'many'", ""),
        ("rag:k=0", ConfigError, "`retrieval.k` is '0'", ""),
        ("rag:reader=oracle", ConfigError, "`generation.reader` is 'oracle'", ""),
        ("both:adapter=a", ConfigError, "`adapter`", ""),
    ],
)
def test_a_name_that_makes_no_sense_says_what_would(settings, text, error, message, hint):
    with pytest.raises(error) as caught:
        parse_arm(text, settings)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_several_arms_stand_between_commas_each_once(settings):
    assert [spec.name for spec in parse_arms("base, rag,rag:k=3", settings)] == ["base", "rag", "rag:k=3"]
    for twice in ("rag,rag", f"rag,rag:k={settings.retrieval.k}", "rag:k=3:sentences=1,rag:sentences=1:k=3"):
        with pytest.raises(UsageError, match="are the same arm"):
            parse_arms(twice, settings)


def test_a_key_belongs_to_one_section_only(settings):
    sections = settings_dict(settings)
    keys = [key for name in ("retrieval", "generation", "models") for key in sections[name]]
    assert len(keys) == len(set(keys))


def test_a_prompt_that_is_named_is_told_to_a_reader_that_listens(settings):
    def reader(text):
        return parse_arm(text, settings).settings.generation.reader

    assert (reader("rag"), reader("rag:prompt=terse")) == (Reader.EXTRACTIVE, Reader.GENERATOR)
    assert reader("rag:prompt=terse:reader=quoting") is Reader.QUOTING
    # labels are chosen by the generator, whatever reads
    assert reader("rag:prompt=terse:reader=extractive") is Reader.EXTRACTIVE
    with pytest.raises(UsageError, match="are the same arm"):
        parse_arms("rag:prompt=terse,rag:reader=generator:prompt=terse", settings)


def test_an_arm_whose_reader_is_the_writer_has_room_for_its_form(settings):
    def room(text):
        generation = parse_arm(text, settings).settings.generation
        return generation.max_new_tokens, generation.context_tokens

    assert room("rag:reader=writer") == (512, 2_400)
    assert room("rag:reader=writer:max_new_tokens=99") == (99, 2_400)
    assert room("rag:reader=generator") == (160, 1_200)


# --- identity --------------------------------------------------------------------------------------


def _identity(assistant, arm, *questions):
    (contender,) = assistant.asked.contenders(arm, questions or [_ASKED])
    return dict(contender.identity)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("base", "rag"),
        ("rag", "rag:k=2"),
        ("rag", "rag:reader=generator"),
        ("rag", "rag:abstain_below=0.1"),
        ("rag", "rag:language=de"),
        ("rag:reader=generator", "rag:prompt=terse"),
        ("rag", "rag:prompt=terse:reader=extractive"),
        ("base", "base:prompt=terse"),
        ("base", "base:max_new_tokens=7"),
        ("base", "base:language=de"),
    ],
)
def test_what_changes_answers_changes_the_identity(domain, one, other):
    assert _identity(domain(), one) != _identity(domain(), other)


@pytest.mark.slow
def test_an_edited_prompt_is_another_arm_and_a_renamed_one_is_not(domain, tmp_path):
    texts = {"one": "Be brief.", "same": "Be brief.", "edited": "Be very brief."}
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(f'[rag]\nsystem = "{text}"\n')
    one, same, edited = (_identity(domain(), f"rag:prompt={tmp_path / name}.toml") for name in texts)
    assert one == same
    assert {key for key in one if one[key] != edited[key]} == {"prompts"}
    # what was asked before there were variants is not asked again
    assert "prompt" not in json.loads(_identity(domain(), "rag")["generation"])


@pytest.mark.slow
def test_the_generator_is_told_the_prompt_of_its_arm(domain):
    assistant = domain()
    assistant.ask(_ASKED.text, arm="rag:prompt=terse")
    assert assistant.generator.history[-1][0].content.startswith("Passages are quoted material")
    assistant.ask(_ASKED.text, arm="base:prompt=terse")
    assert "as few words as possible" in assistant.generator.history[-1][0].content


@pytest.mark.slow
def test_what_does_not_change_answers_does_not_change_the_identity(domain):
    assert _identity(domain(), "base") == _identity(domain(), "base:k=2:reader=generator")
    assert _identity(domain(), "rag") == _identity(domain(ScriptedGenerator(["something else"])), "rag")


@pytest.mark.slow
def test_other_weights_another_reranker_and_another_generation_change_the_identity(
    domain, write_files, tmp_path
):
    for arm in ("base", "rag:reader=generator"):
        assert _identity(domain(), arm) != _identity(domain(ScriptedGenerator(["something else"])), arm)
    before = _identity(domain(), "rag")
    assert _identity(domain(reranker=OverlapReranker()), "rag") != before
    base = _identity(domain(), "base")
    domain().index(write_files(tmp_path / "docs", {"new.txt": "Certificates expire."}))
    assert _identity(domain(), "rag") != before
    assert _identity(domain(), "base") == base


def _open_files():
    links = Path("/proc/self/fd")
    if not links.is_dir():
        pytest.skip("this system does not tell which files are open")
    return {str(link.readlink()) for link in list(links.iterdir()) if link.is_symlink()}


def test_a_generation_that_was_replaced_is_let_go_though_somebody_may_still_read_it(domain):
    assistant = domain()
    reading, unread = assistant.retriever, weakref.ref(assistant.asked.serving("rag:k=2"))
    base = assistant.asked.serving("base")
    assistant.update([Document("new.txt", "Certificates expire.")])
    assert assistant.retriever.index is not reading.index
    assert str((reading.index.folder / "store.sqlite").resolve()) in _open_files()
    gc.collect()
    assert unread() is None and assistant.asked.serving("base") is base
    assert reading.search(_ASKED.text)
    files = (reading.index.folder / "store.sqlite").resolve()
    gc.collect()
    gc.disable()
    try:  # nobody waits for the collector: a server of many objects seldom sees it
        del reading
        assert str(files) not in _open_files()
    finally:
        gc.enable()


@pytest.mark.slow
def test_questions_with_options_make_the_generator_count(domain):
    labelled = _identity(domain(), "rag", _ASKED, _LABELLED)
    assert labelled["generator"] == "fake/scripted"
    assert labelled != _identity(domain(ScriptedGenerator(["other"])), "rag", _ASKED, _LABELLED)


# --- answers ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_extractive_arm_loads_no_generator(domain, settings):
    assistant = domain()
    broken = dataclasses.replace(settings.models, generator="/nowhere/at all", offline=True)
    alone = Assistant(
        "manual", settings=dataclasses.replace(settings, models=broken), embedder=HashEmbedder(64)
    )
    (rag,) = alone.asked.contenders("rag", [_ASKED])
    rag.prepare([_ASKED])
    assert "5432" in rag.answer_all([_ASKED])[0].text
    for arm, questions in (("base", [_ASKED]), ("rag:reader=generator", [_ASKED]), ("rag", [_LABELLED])):
        with pytest.raises(ModelMissing):
            alone.asked.contenders(arm, questions)
    assert assistant.asked.contenders("base", [_ASKED])


def test_base_needs_no_index_and_rag_does(settings):
    assistant = Assistant(
        "none", settings=settings, embedder=HashEmbedder(64), generator=ScriptedGenerator(["5432"])
    )
    (base,) = assistant.asked.contenders("base", [_ASKED])
    assert base.answer_all([_ASKED])[0].text == "5432"
    with pytest.raises(IndexMissing):
        assistant.asked.contenders("rag", [_ASKED])


@pytest.mark.slow
def test_questions_of_both_kinds_keep_their_order(domain):
    (rag,) = domain().asked.contenders("rag", [_ASKED, _LABELLED])
    answers = rag.answer_all([_LABELLED, _ASKED, _LABELLED])
    assert answers[0].text == answers[2].text in _LABELLED.options
    assert "5432" in answers[1].text
    assert [answer.reader for answer in answers] == ["likelihood", "extractive", "likelihood"]


@pytest.mark.slow
def test_withheld_sources_are_not_seen(domain):
    (rag,) = domain().asked.contenders("rag:k=2", [_ASKED])
    withheld = dataclasses.replace(_ASKED, withheld=("port.txt",))
    free, kept = rag.answer_all([_ASKED, withheld])
    assert "port.txt" in {hit.chunk.source for hit in free.hits}
    assert {hit.chunk.source for hit in kept.hits} == {"night.txt", "backup.txt"}


@pytest.mark.slow
def test_models_of_ones_own_serve_unless_an_arm_names_another(domain, tmp_path):
    own = ScriptedGenerator(["mine"])
    assistant = domain(own)
    (base,) = assistant.asked.contenders("base:max_new_tokens=9", [_ASKED])
    assert base.answer_all([_ASKED])[0].text == "mine"
    with pytest.raises(ModelMissing):
        assistant.asked.contenders(f"base:generator={tmp_path / 'nowhere'}", [_ASKED])


# --- adapters --------------------------------------------------------------------------------------

_TUNED = {"generator-001": ["It is the tuned 5432."], "generator-002": ["Another."]}


@pytest.fixture
def adapted(domain, keep_adapter):
    """An assistant whose domain has two adapters, the first one in use."""
    assistant = domain(ScriptedGenerator(["It is the untuned 5432."], tuned=_TUNED))
    keep_adapter(assistant.folder, "generator-001", reader=Reader.QUOTING, seconds=90.0)
    keep_adapter(assistant.folder, "generator-002", promote=False, seconds=30.0)
    return assistant


@pytest.mark.slow
def test_an_arm_that_needs_an_adapter_says_that_there_is_none(domain):
    for arm in ("adapter", "both"):
        with pytest.raises(AdapterError, match="need a generator adapter, and none is in use") as caught:
            domain().asked.contenders(arm, [_ASKED])
        assert "hybrid adapt generator" in caught.value.hint
    with pytest.raises(AdapterError, match="there is no adapter 'x'"):
        domain().asked.contenders("both:generator_adapter=x", [_ASKED])


@pytest.mark.slow
def test_an_adapter_that_is_there_and_not_in_use_is_named(domain, keep_adapter):
    assistant = domain()
    keep_adapter(assistant.folder, "generator-001", promote=False)
    with pytest.raises(AdapterError, match="there are: generator-001") as caught:
        assistant.asked.contenders("adapter", [_ASKED])
    assert "hybrid adapters promote generator-001" in caught.value.hint


@pytest.mark.slow
def test_an_adapter_of_the_embedder_is_none_of_the_generator(domain, keep_adapter):
    assistant = domain()
    keep_adapter(assistant.folder, "embedder-001", kind="embedder", promote=False)
    with pytest.raises(AdapterError, match="cannot serve the generator"):
        assistant.asked.contenders("adapter:generator_adapter=embedder-001", [_ASKED])


def test_the_arm_adapter_answers_by_the_adapted_generator_alone(adapted):
    base, one, other = adapted.asked.contenders(
        "base,adapter,adapter:generator_adapter=generator-002", [_ASKED]
    )
    assert [arm.answer_all([_ASKED])[0].text for arm in (base, one, other)] == [
        "It is the untuned 5432.",
        "It is the tuned 5432.",
        "Another.",
    ]
    assert one.retriever is None
    assert one.answer_all([_ASKED])[0].arm is Arm.ADAPTER
    assert [arm.training_minutes for arm in (base, one, other)] == [0.0, 1.5, 0.5]


@pytest.mark.slow
def test_an_adapter_is_measured_as_it_serves_in_the_layers_of_the_base(
    settings, tmp_path, tiny_generator_folder, tiny_adapter_folder
):
    from hybrid.models.device import Placement
    from hybrid.models.generator import TransformersGenerator

    base = TransformersGenerator(
        tiny_generator_folder, name="t", placement=Placement("cpu", "float32", "test")
    )
    own, adapters = OwnModels(HashEmbedder(), base), ArmAdapters(generator=tiny_adapter_folder)
    arms, spec = DomainArms(tmp_path, settings, own, lambda spec: adapters), parse_arm("adapter", settings)
    measured, serving = arms.contender(spec, labels=False), arms.serving(spec)
    one, other = measured.answerer.generator(), serving.answerer.generator()
    assert one.digest == other.digest != base.digest
    with base.lent() as model:
        layers = [(name, type(layer)) for name, layer in model.named_modules()]
        plain = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for generator in (one, other):
        with generator.lent() as model:
            # a LoRA that is not merged adds layers, and a third of the time
            assert [(name, type(layer)) for name, layer in model.named_modules()] == layers
            assert any(not weight.equal(plain[name]) for name, weight in model.named_parameters())


@pytest.mark.slow
def test_both_reads_as_its_adapter_was_trained_to_unless_told(adapted):
    arms = "both,both:reader=generator,both:generator_adapter=generator-002,rag,rag:reader=quoting"
    readers = [arm.answerer.settings.reader for arm in adapted.asked.contenders(arms, [_ASKED])]
    assert readers == [
        Reader.QUOTING,
        Reader.GENERATOR,
        Reader.GENERATOR,
        Reader.EXTRACTIVE,
        Reader.QUOTING,
    ]


@pytest.mark.slow
def test_both_has_passages_and_the_adapted_generator(adapted):
    (both,) = adapted.asked.contenders("both:reader=generator", [_ASKED])
    both.prepare([_ASKED])
    (answer,) = both.answer_all([_ASKED])
    assert answer.arm is Arm.BOTH
    assert answer.hits
    assert both.answerer.generator().name == "fake/scripted + generator-001"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("base", "adapter"),
        ("rag:reader=quoting", "both"),
        ("both", "both:reader=generator"),
        ("adapter", "adapter:generator_adapter=generator-002"),
    ],
)
def test_an_adapter_changes_the_identity(adapted, one, other):
    assert _identity(adapted, one) != _identity(adapted, other)


def test_the_identity_names_the_adapter_and_digests_its_weights(adapted):
    identity = _identity(adapted, "adapter")
    assert identity["adapter"] == "generator-001"
    assert identity["generator_digest"] != _identity(adapted, "base")["generator_digest"]
    assert identity == _identity(adapted, "adapter:generator_adapter=generator-001")
    assert _identity(adapted, "base")["adapter"] == ""


@pytest.mark.slow
def test_a_generator_that_takes_no_adapter_is_named(adapted):
    class Fixed:
        name = "elsewhere"
        digest = "1"

    other = Assistant("manual", settings=adapted.settings, embedder=HashEmbedder(64), generator=Fixed())
    with pytest.raises(AdapterError, match="'elsewhere' takes no adapter"):
        other.asked.contenders("adapter", [_ASKED])
