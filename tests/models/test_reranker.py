"""Any cross-encoder as a reranker."""

import pytest

from hybrid.config import ModelSettings
from hybrid.errors import ModelMissing
from hybrid.models.embedder import CrossEncoderReranker
from hybrid.models.loading import load_reranker


def test_no_name_is_no_reranker():
    assert load_reranker(ModelSettings()) is None


def test_a_cross_encoder_works_by_its_folder(tiny_reranker_folder):
    reranker = load_reranker(ModelSettings(reranker=str(tiny_reranker_folder), device="cpu", dtype="float32"))
    passages = ["the port is 5432", "a", "backups " * 60]
    together = reranker.score("which port", passages)
    assert together == pytest.approx([reranker.score("which port", [p])[0] for p in passages], abs=1e-5)
    assert reranker.name == str(tiny_reranker_folder)


def test_a_classifier_with_three_outputs_is_refused(tiny_classifier_folder, cpu):
    with pytest.raises(ModelMissing, match="has 3 outputs"):
        CrossEncoderReranker(tiny_classifier_folder, name="c", placement=cpu)


def test_a_folder_that_is_no_model_is_missing(tmp_path, cpu):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        CrossEncoderReranker(tmp_path, name="x", placement=cpu)
