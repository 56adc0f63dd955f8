from tests.conftest import isolated, own_cache, within
from tests.grounding.conftest import encoder, encoder_digest, lexicon

__all__ = ["encoder", "encoder_digest", "isolated", "lexicon", "own_cache", "within"]
