"""A PostgreSQL with pgvector for the tests, started at the first use and stopped with the process."""

import functools
import os
import tempfile
import warnings
from pathlib import Path
from urllib.parse import quote

import pytest

# read before the tests are kept from the environment
_POSTGRES_URL = os.environ.get("HYBRID_POSTGRES_URL", "")


@functools.cache
def postgres():
    """Return its address; the test is skipped where there is none.

    HYBRID_POSTGRES_URL names one that runs already.
    """
    if _POSTGRES_URL:
        return _POSTGRES_URL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder of the user
        pgserver = pytest.importorskip("pgserver")
        server = pgserver.get_server(Path(tempfile.mkdtemp(prefix="pg-")), cleanup_mode="delete")
    folder = server.get_postmaster_info().socket_dir
    return f"postgresql://postgres@{quote(str(folder), safe='')}/postgres"
