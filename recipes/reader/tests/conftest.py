from tests.conftest import isolated, own_cache, tiny_embedder_folder, within

__all__ = ["isolated", "own_cache", "tiny_embedder_folder", "within"]
