"""A small corpus with something of every kind, indexed with a fake embedder."""

import pytest

SERVER = """# Server

The listener is a process that waits for clients on a network socket.

## Limits of the server

The default number of connections is 100. An idle connection occupies 12 kilobytes on the heap.

To close an idle connection, send the signal HANGUP to its process. Only database administrators can change
the limits of the server.

## Options

- `--port`: Specifies the TCP port of the listener. Defaults to `5432`.
- `--host`: Specifies the address of the network interface. Defaults to `localhost`.
- `--quiet`: Suppresses all notices during the start.
"""
GOATS = """# Mountain goats

A kid is a young goat that still drinks milk from its mother.

## Weights of the breeds

| Breed | Weight | Origin |
|---|---|---|
| Saanen | 65 kg | Switzerland |
| Boer | 95 kg | South Africa |
| Angora | 45 kg | Turkey |

## Climbing on steep slopes

Mountain goats climb steep slopes because their hooves grip the smallest ledges of a rock.
"""
PAGES = {
    "server.md": SERVER,
    "goats.md": GOATS,
    "protocol.md": "# Protocol\n\nAll messages use the Transmission Control Protocol (TCP) of the host.\n",
}


@pytest.fixture
def retriever(retriever_over):
    return retriever_over(PAGES)


@pytest.fixture
def index(retriever):
    return retriever.index
