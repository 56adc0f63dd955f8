"""The extra: what is said where langchain-core is not installed, and that nothing else needs it."""

import importlib
import subprocess
import sys

import pytest

from hybrid.errors import ExtraMissing


def test_without_the_extra_the_import_names_it(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[:2] == ["hybrid", "langchain"]]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "langchain_core", None)
    with pytest.raises(ExtraMissing, match=r"langchain-core, 1\.8 or later") as raised:
        importlib.import_module("hybrid.langchain")
    assert raised.value.hint == "pip install 'hybrid-assistant[langchain]'"


@pytest.mark.slow
def test_the_facade_and_the_command_import_no_langchain():
    program = "import sys, hybrid.assistant, hybrid.cli.app; print(*sys.modules, sep='\\n')"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = found.stdout.split()
    assert "hybrid.assistant" in loaded
    assert not [name for name in loaded if name.startswith(("langchain", "hybrid.langchain"))]
