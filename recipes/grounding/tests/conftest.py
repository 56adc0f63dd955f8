from tests.conftest import isolated, own_cache
from tests.grounding.conftest import encoder, encoder_folder, lexicon

__all__ = ["encoder", "encoder_folder", "isolated", "lexicon", "own_cache"]
