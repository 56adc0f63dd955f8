"""The commands that make adapters, on tiny models: examples, a dry run, a training, and what goes wrong."""

import json

import pytest

from hybrid.adaptation.store import AdapterStore
from hybrid.cli.app import run
from hybrid.questions.files import load_questions


@pytest.fixture
def domain(tmp_path, monkeypatch, tiny_generator_folder, tiny_embedder_folder, write_files, capsys):
    """An indexed domain served by the tiny models; the tests run in the folder that holds it."""
    monkeypatch.setenv("HYBRID_MODELS__GENERATOR", str(tiny_generator_folder))
    monkeypatch.setenv("HYBRID_MODELS__EMBEDDER", str(tiny_embedder_folder))
    monkeypatch.setenv("HYBRID_CHUNKS__OVERLAP_TOKENS", "0")
    monkeypatch.setenv("HYBRID_CHUNKS__HEADING_TOKENS", "4")
    monkeypatch.setenv("HYBRID_ADAPTATION__MAX_TOKENS", "200")
    monkeypatch.setenv("HYBRID_GENERATION__MAX_NEW_TOKENS", "20")
    write_files(tmp_path / "docs", {"a.txt": "the port is 5", "b.txt": "the server is a port"})
    assert run(["index", str(tmp_path / "docs"), "--domain", "manual"]) == 0
    capsys.readouterr()
    return tmp_path / "indexes" / "manual"


def labels(path, count=40, answer=None):
    rows = []
    for n in range(count):
        yes = n % 2 == 0
        rows.append(
            {
                "id": f"q{n}",
                "question": f"is {'port' if yes else 'server'} {n * 37 % 101} a port",
                "answers": [answer or ("Yes" if yes else "No")],
                "options": ["Yes", "No"],
                "source": f"s{n}",
            }
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def document(capsys, *arguments, code=0):
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_examples_are_made_of_labels_where_the_data_has_some(domain, tmp_path, capsys):
    data, out = labels(tmp_path / "data.jsonl"), tmp_path / "out.jsonl"
    told = document(capsys, "adapt", "examples", "--data", data, "--out", str(out))
    assert told["kinds"] == {"label": told["train"]}
    assert told["train"] + told["validation"] == 40
    assert len(out.read_text().splitlines()) == told["train"]


@pytest.mark.slow
def test_a_dry_run_shows_what_is_masked_and_what_it_would_take(domain, tmp_path, capsys):
    data = labels(tmp_path / "data.jsonl")
    assert run(["adapt", "examples", "--data", data, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("masked, ") == 10 == shown.count("learned, ")
    assert "GB" in shown and "steps of 8 examples" in shown
    told = document(capsys, "adapt", "examples", "--data", data, "--dry-run")
    assert told["training"]["steps"] > 0 and told["training"]["megabytes"] > 0
    learned = {each["learned"].replace(" ", "").replace("#", "") for each in told["examples"]}
    assert learned == {"yes</s>", "no</s>"}


@pytest.mark.slow
def test_an_adapter_is_trained_kept_and_can_answer(domain, tmp_path, capsys):
    data = labels(tmp_path / "data.jsonl")
    card = document(
        capsys,
        "adapt",
        "generator",
        "--data",
        data,
        "--method",
        "rslora",
        "--no-check",
        "--licence",
        "CC0-1.0",
        "--name",
        "mine",
    )["card"]
    assert card["data"]["licence"] == "CC0-1.0" and card["data"]["counts"]["label"] >= 30
    assert card["settings"]["objectives"] == "label" and card["reader"] == "generator"
    assert card["seconds"] > 0 and len(card["curve"]) > 1
    assert not (domain / "adapters" / ".work" / "built").exists()
    answered = document(capsys, "ask", "is a port a port", "--arm", "adapter", "--generator-adapter", "mine")
    assert answered["arm"] == "adapter"


@pytest.mark.slow
def test_a_name_that_is_taken_is_refused_before_training(domain, tmp_path, capsys):
    data = labels(tmp_path / "data.jsonl")
    arguments = ["adapt", "generator", "--data", data, "--no-check", "--name", "mine", "--epochs", "0.2"]
    assert run(arguments) == 0
    assert run(arguments) == 2
    assert "there is an adapter 'mine' already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_rank_can_be_chosen_on_validation(domain, tmp_path, capsys):
    data = labels(tmp_path / "data.jsonl")
    told = document(
        capsys,
        "adapt",
        "generator",
        "--data",
        data,
        "--method",
        "rslora",
        "--no-check",
        "--rank",
        "auto",
        "--epochs",
        "0.4",
    )
    assert told["card"]["settings"]["rank"] in (4, 16, 64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"question": "is it?", "answers": ["Yes"], "options": ["Yes", "No"]}\n{"question": ', "line 2"),
        ('{"quest": 1}\n', "line 1"),
        ("", "no line"),
    ],
)
def test_data_that_is_broken_is_told_by_line(domain, tmp_path, capsys, text, says):
    path = tmp_path / "data.jsonl"
    path.write_text(text, encoding="utf-8")
    assert run(["adapt", "generator", "--data", str(path)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.slow
def test_three_examples_and_equal_labels_are_refused(domain, tmp_path, capsys):
    assert run(["adapt", "generator", "--data", labels(tmp_path / "few.jsonl", 3)]) == 2
    assert "expected 8" in capsys.readouterr().err
    assert run(["adapt", "generator", "--data", labels(tmp_path / "same.jsonl", 40, "Yes")]) == 2
    assert "nothing to tell apart" in capsys.readouterr().err


@pytest.mark.slow
def test_an_objective_that_there_is_not_names_those_that_there_are(domain, capsys):
    assert run(["adapt", "generator", "--learn", "wisdom"]) == 2
    assert "reading, instruction, label, text" in capsys.readouterr().err


@pytest.mark.slow
def test_a_question_set_of_the_domain_never_leaks(domain, tmp_path, capsys):
    data = labels(tmp_path / "data.jsonl")
    (domain / "questions").mkdir()
    labels(domain / "questions" / "set.jsonl", 10)
    told = document(capsys, "adapt", "examples", "--data", data)
    assert told["train"] + told["validation"] == 30
    assert sum(left["count"] for left in told["left_out"]) == 10


@pytest.mark.slow
def test_an_interrupted_training_goes_on_and_loses_no_earlier_adapter(domain, tmp_path, capsys, monkeypatch):
    import hybrid.cli.adapt as module

    data = labels(tmp_path / "data.jsonl")
    arguments = ["adapt", "generator", "--data", data, "--method", "rslora", "--no-check", "--epochs"]
    assert run([*arguments, "0.3"]) == 0

    class Dying:
        def __call__(self, step, steps, loss):
            if step == 9:
                raise KeyboardInterrupt

    monkeypatch.setattr(module, "_TrainingProgress", Dying)
    assert run([*arguments, "3"]) == 130
    assert list((domain / "adapters" / ".work" / "state").glob("*.safetensors"))
    told = capsys.readouterr().err
    assert "interrupted" in told
    steps = []
    monkeypatch.setattr(module, "_TrainingProgress", lambda: lambda step, *_: steps.append(step))
    assert run([*arguments, "3"]) == 0
    assert steps[0] > 1
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.slow
def test_a_disk_that_is_full_at_the_end_loses_no_earlier_adapter(domain, tmp_path, capsys, monkeypatch):
    import errno

    import hybrid.adaptation.store as store

    data = labels(tmp_path / "data.jsonl")
    arguments = ["adapt", "generator", "--data", data, "--no-check", "--epochs", "0.3"]
    assert run(arguments) == 0

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(store, "_copy", full)
    assert run(arguments) == 1
    assert "no space left" in capsys.readouterr().err
    assert store.AdapterStore(domain).names() == ["generator-001"]


@pytest.mark.slow
def test_a_generator_learns_what_is_preferred_and_says_so_on_its_card(domain, tmp_path, capsys):
    path = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": f"is a port {n} a port", "chosen": "yes", "rejected": "no", "source": f"s{n}"}
        for n in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    told = document(capsys, "adapt", "examples", "--data", str(path), "--dry-run")
    assert told["preferences"] >= 25 and told["kinds"] == {"preference": told["preferences"]}
    assert told["training"]["steps"] > 1 and told["examples"]
    card = document(capsys, "adapt", "generator", "--data", str(path), "--no-check", "--name", "first")[
        "card"
    ]
    assert card["settings"]["objectives"] == "preference" and card["settings"]["beta"] == 0.1
    assert card["gain"]["measure"] == "better answers preferred"
    more = ["--data", str(path), "--no-check", "--start", "first", "--epochs", "1"]
    assert document(capsys, "adapt", "generator", *more)["card"]["parent"] == "first"


@pytest.mark.slow
def test_rounds_with_the_judge_are_told_and_the_best_adapter_stays(domain, scripted_judge, capsys):
    assert run(["adapt", "improve", "--no-check", "--name", "own", "--licence", "CC0-1.0", "--json"]) == 0
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert (told["adapter"], told["in_use"], told["card"]["data"]["licence"]) == ("own-1", False, "CC0-1.0")
    first, second, third = [line for line in shown.err.splitlines() if ": reward " in line]
    assert first.startswith("the base: reward 0.200, ") and second.startswith("own-1: reward 0.600 (+40.0 ")
    assert third.startswith("own-2: reward 0.400")
    assert AdapterStore(domain).names() == ["own-1"]


@pytest.mark.slow
def test_where_the_judge_finds_nothing_better_nothing_is_made(domain, scripted_judge, monkeypatch, capsys):
    monkeypatch.setattr("hybrid.adaptation.methods.preferences.judged_pairs", lambda *_, **__: [])
    told = document(capsys, "adapt", "improve", "--rounds", "1")
    assert (told["adapter"], told["in_use"], len(told["rounds"])) == (None, False, 1)
    assert AdapterStore(domain).names() == []


@pytest.mark.slow
def test_of_labels_of_its_own_what_is_doubtful_is_left_to_a_person(domain, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HYBRID_ADAPTATION__EPOCHS", "0.4")
    data, more = labels(tmp_path / "data.jsonl", 80), tmp_path / "more.jsonl"
    new = [
        {"id": f"n{n}", "question": f"is server {n} a port or not", "options": ["Yes", "No"]}
        for n in range(20)
    ]
    more.write_text("".join(json.dumps(row) + "\n" for row in new))
    given = ["--data", data, "--unlabelled", str(more), "--rounds", "1", "--name", "own", "--no-check"]
    assert run(["adapt", "self-train", *given, "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["adapter"] == "own-0" and AdapterStore(domain).names() == ["own-0"]
    assert "own-0: 0 labels of its own; " in shown.err
    assert "; of 20 own labels none is sure enough to be learned" in shown.err
    assert "20 questions are left for a person: hybrid questions review review.jsonl" in shown.err
    assert {one.id for one in load_questions(tmp_path / "review.jsonl")} == {row["id"] for row in new}
    more.write_text(json.dumps({"id": "n", "question": "is it"}) + "\n")
    assert run(["adapt", "self-train", *given]) == 2
    assert "n has no `options`" in capsys.readouterr().err
