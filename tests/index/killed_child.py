"""Index a folder slowly enough to be killed at any stage; run by test_killed.py, not collected.

Arguments: the domain, the folder, a file that receives the name of every stage as it is reached.
"""

import sys
import time
from pathlib import Path

from hybrid.assistant import Assistant
from hybrid.config import load_settings
from hybrid.index import embedding, sync
from hybrid.testing import HashEmbedder

_PAUSES = {sync.Stage.READ: 0.0005, sync.Stage.EMBED: 0.01, sync.Stage.BUILD: 0.02}


class SlowEmbedder(HashEmbedder):
    def embed_documents(self, texts):
        time.sleep(0.005)
        return super().embed_documents(texts)


def main(domain, folder, stages):
    embedding.BATCH = 32
    settings = load_settings(
        {"indexes": str(domain.parent), "chunks": {"max_tokens": 30}, "documents": {"workers": 1}}
    )
    with stages.open("a", buffering=1) as log:

        def note(stage, done, total):
            log.write(f"{stage}\n")
            time.sleep(_PAUSES[stage])

        for name in ("switch", "_clean"):
            setattr(sync, name, _noted(getattr(sync, name), name, log))
        Assistant(domain.name, settings=settings, embedder=SlowEmbedder()).index(folder, progress=note)
    assert "torch" not in sys.modules


def _noted(function, name, log):
    def call(*arguments):
        log.write(f"{name}\n")
        time.sleep(0.02)
        function(*arguments)
        time.sleep(0.01)

    return call


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
