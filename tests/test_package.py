"""What `import hybrid` costs and shows."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hybrid
from hybrid import errors

_HEAVY = (
    "torch",
    "transformers",
    "sentence_transformers",
    "faiss",
    "tantivy",
    "pydantic",
    "numpy",
    "pypdf",
    "pypdfium2",
    "lxml",
)


def _modules():
    root = Path(hybrid.__file__).parent
    paths = (path.relative_to(root).with_suffix("") for path in root.rglob("*.py"))
    names = {".".join(("hybrid", *path.parts)).removesuffix(".__init__") for path in paths}
    # extras, which the test extra brings along
    extras = {"hybrid.langchain": "langchain_core", "hybrid.serving": "fastapi"}
    left_out = tuple(room for room, package in extras.items() if importlib.util.find_spec(package) is None)
    return sorted(name for name in names if not name.endswith("__main__") and not name.startswith(left_out))


def _run(script):
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout


def test_import_takes_less_than_three_tenths_of_a_second():
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        _run("import hybrid")
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.3


def test_import_loads_nothing_heavy():
    assert (
        _run(f"import sys, hybrid; print([name for name in {_HEAVY} if name in sys.modules])").strip() == "[]"
    )


@pytest.mark.slow
def test_indexing_and_searching_with_own_models_loads_no_torch(tmp_path, write_files):
    write_files(tmp_path / "docs", {"a.txt": "The default port is 5432."})
    script = """
import sys
from hybrid import Assistant
from hybrid.testing import HashEmbedder
assistant = Assistant("d", embedder=HashEmbedder())
assistant.index("docs")
assert assistant.search("port")
print([name for name in ("torch", "transformers", "sentence_transformers") if name in sys.modules])
"""
    assert _run(script).strip() == "[]"


@pytest.mark.slow
def test_nothing_of_ours_loads_scikit_learn_before_something_is_measured():
    script = f"""
import importlib, sys
for name in {_modules()}:
    importlib.import_module(name)
assert "sentence_transformers" not in sys.modules
print([name for name in ("sklearn", "scipy.stats") if name in sys.modules])
"""
    assert _run(script).strip() == "[]"


def test_public_names_are_sorted_and_there():
    assert list(hybrid.__all__) == sorted(hybrid.__all__)
    for name in hybrid.__all__:
        assert getattr(hybrid, name) is not None
    assert dir(hybrid) == hybrid.__all__


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hybrid.nothing


@pytest.mark.parametrize("module", _modules())
def test_every_module_imports_and_says_what_it_is_for(module):
    loaded = importlib.import_module(module)
    assert loaded.__doc__ or not getattr(loaded, "__file__", None)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.HybridError, 1),
        (errors.UsageError, 2),
        (errors.ConfigError, 3),
        (errors.IndexMissing, 4),
        (errors.IndexCorrupt, 4),
        (errors.IndexMismatch, 4),
        (errors.IndexLocked, 4),
        (errors.ModelMissing, 5),
        (errors.ExtraMissing, 5),
        (errors.RemoteError, 5),
        (errors.StorageError, 1),
    ],
)
def test_every_error_has_its_exit_code_and_its_place_in_the_tree(error, code):
    assert issubclass(error, errors.HybridError)
    assert error.exit_code == code
    assert error.__name__ in errors.__doc__
    raised = error("what", hint="do this")
    assert (str(raised), raised.hint) == ("what", "do this")
    assert raised.__notes__ == ["do this"]
