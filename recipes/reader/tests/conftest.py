from tests.conftest import (
    isolated,
    make_adapter,
    own_cache,
    tiny_adapter_folder,
    tiny_embedder_folder,
    tiny_generator_folder,
    within,
)

__all__ = [
    "isolated",
    "make_adapter",
    "own_cache",
    "tiny_adapter_folder",
    "tiny_embedder_folder",
    "tiny_generator_folder",
    "within",
]
