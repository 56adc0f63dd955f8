"""What the page asks for: places in documents that a user may read, pictures, uploads, the decision."""

import base64
import hashlib
import hmac
import json
import time
from functools import partial

import httpx2
import pytest

from hybrid.decision.adopted import adopt
from hybrid.files import folder_lock
from hybrid.serving.protocol import Access
from hybrid.serving.service import Service
from hybrid.trust import Secret

# a core that many share answers late
_get, _post = (partial(one, timeout=60) for one in (httpx2.get, httpx2.post))
_BYTES = {"Content-Type": "application/octet-stream"}
_KEY = "a key of the proxy in front"


def _error(response, status):
    assert response.status_code == status
    return response.json()["error"]["message"]


def _stretch(url, source, start, end, **others):
    asked = {"source": source, "start": start, "end": end, **others}
    return _get(f"{url}/domains/manual/stretch", params=asked)


@pytest.mark.slow
def test_the_page_and_what_it_loads_come_from_here_and_run_nothing_else(url):
    page = _get(url)
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http:" not in page.text and "https:" not in page.text
    for name, kind in (("app.js", "javascript"), ("style.css", "css"), ("icon.svg", "svg")):
        assert kind in _get(f"{url}/page/{name}").headers["content-type"]
    assert _get(f"{url}/page/../app.py").status_code == 404
    assert _get(f"{url}/page/%2e%2e/app.py").status_code == 404


@pytest.mark.slow
def test_the_domains_are_listed_with_their_arms_and_titles(url):
    (kitchen, manual) = _get(f"{url}/domains").json()["domains"]
    assert kitchen == {
        "name": "kitchen",
        "arms": ["base", "rag"],
        "decided": None,
        "titles": ["oven.txt", "pan.txt"],
        "error": None,
    }
    assert manual["name"] == "manual"
    state = _get(f"{url}/domains/manual").json()
    assert (state["documents"], state["max_megabytes"]) == (3, 64.0)
    assert ".pdf" in state["suffixes"]
    decision = _get(f"{url}/domains/manual/decision").json()
    assert (decision["arm"], decision["arms"], decision["report"]) == (None, [], False)
    assert "no domain 'nowhere'" in _error(_get(f"{url}/domains/nowhere"), 404)
    for name in ("..", "%2e%2e", "a" * 400, "a%00"):
        assert _get(f"{url}/domains/{name}/decision").status_code == 404
    assert "no report" in _error(_get(f"{url}/domains/manual/report"), 404)


def test_a_place_comes_with_what_stands_around_it(url):
    found = _stretch(url, "port.txt", 12, 16, around=8).json()
    assert (found["before"], found["marked"], found["after"]) == ("default ", "port", " of the ")
    assert (found["more_before"], found["more_after"], found["page"]) == (True, True, None)
    whole = _stretch(url, "port.txt", 12, 16).json()
    assert whole["before"] + whole["marked"] + whole["after"] == "The default port of the server is 5432."
    assert (whole["more_before"], whole["more_after"]) == (False, False)


@pytest.mark.parametrize("start, end", [(5, 5), (9, 3), (0, 10_000)])
def test_no_stretch_is_no_stretch(url, start, end):
    assert "no stretch" in _error(_stretch(url, "port.txt", start, end), 400)


@pytest.mark.parametrize("source", ["gone.txt", "../../../etc/passwd", "/etc/passwd", "port.txt%00", ""])
def test_what_is_not_indexed_is_not_shown(url, source):
    assert _error(_stretch(url, source, 0, 3), 404) == "there is no such document"


def test_a_file_has_to_be_sent_as_one(url):
    asked = _post(f"{url}/uploads/manual?name=a.txt", content=b"text", headers={"Content-Type": "text/plain"})
    assert "octet-stream" in _error(asked, 415)
    assert _post(f"{url}/uploads/manual", content=b"text", headers=_BYTES).status_code == 422
    assert "no domain" in _error(
        _post(f"{url}/uploads/nowhere?name=a.txt", content=b"t", headers=_BYTES), 404
    )


@pytest.mark.parametrize("name", ["../a.txt", "..%2f..%2fa.txt", "/a.txt", "a.exe", ".a.txt", "a.txt%0a"])
def test_a_name_that_leads_elsewhere_is_refused(url, name):
    asked = _post(f"{url}/uploads/manual?name={name}", content=b"text", headers=_BYTES)
    assert "no name of a file" in _error(asked, 400) or "no reader" in _error(asked, 400)


# --- with files ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def station(open_domains, serve_at, tmp_path_factory, pdf):
    """Serve a domain of a folder with a PDF; the names of its assistants and its address."""
    docs = tmp_path_factory.mktemp("docs")
    (docs / "handbook.pdf").write_bytes(
        pdf([["The handbook."], ["The default port is 5432.", "It is open."]])
    )
    (docs / "night.txt").write_text("The server restarts every night at two.")
    assistants = open_domains({"station": {"note.txt": "A note."}})
    assistants["station"].index(docs)
    with serve_at(Service.over(assistants, Access(user_key=Secret(_KEY)))) as where:
        yield assistants, docs, where


@pytest.mark.slow
def test_the_page_of_a_pdf_is_drawn(station):
    _, _, url = station
    asked = {"source": "handbook.pdf", "start": 15, "end": 40}
    found = _get(f"{url}/domains/station/stretch", params=asked).json()
    assert (found["marked"], found["page"]) == ("The default port is 5432.", 2)
    drawn = _get(f"{url}/domains/station/page", params=asked | {"page": 2})
    assert drawn.headers["content-type"] == "image/png"
    assert drawn.content.startswith(b"\x89PNG")
    for wrong in ({"page": 3}, {"source": "night.txt", "page": 1}):
        _error(_get(f"{url}/domains/station/page", params=asked | {"page": 2} | wrong), 404)


@pytest.mark.slow
def test_an_upload_tells_its_progress_and_is_there(station):
    assistants, docs, url = station
    sent = _post(f"{url}/uploads/station?name=z.txt", content=b"Zebras live in Africa.", headers=_BYTES)
    *stages, last = map(json.loads, sent.text.splitlines())
    assert {line["stage"] for line in stages} == {"reading", "embedding", "building"}
    assert last["characters"] == 22
    assert assistants["station"].search("zebras")[0].chunk.source == ".uploads/z.txt"
    assert not (docs / "z.txt").exists()
    again = _post(f"{url}/uploads/station?name=z.txt", content=b"Other zebras.", headers=_BYTES)
    assert "another file was uploaded as z.txt" in _error(again, 400)


@pytest.mark.slow
def test_a_file_that_no_reader_reads_is_told_in_the_last_line(station):
    assistants, docs, url = station
    own, before = assistants["station"], assistants["station"].status().manifest
    sent = _post(f"{url}/uploads/station?name=bad.pdf", content=b"no PDF", headers=_BYTES)
    last = json.loads(sent.text.splitlines()[-1])
    assert "bad.pdf is not indexed: damaged" in last["error"]["message"]
    assert str(station[1]) not in sent.text
    # nothing of it stays, so that the next update has nothing to remove
    assert httpx2.get(f"{url}/domains/station").json()["rejected"] == []
    assert own.status().manifest == before
    assert own.index(docs).plan.removed == ()


@pytest.mark.slow
def test_an_upload_waits_for_who_writes_the_index_and_is_not_lost(station):
    assistants, docs, url = station
    with folder_lock(assistants["station"].folder):
        sent = _post(f"{url}/uploads/station?name=w.txt", content=b"Whales sing.", headers=_BYTES)
    told = _error(sent, 409)
    assert "is writing" in told and str(docs.parent) not in told
    assistants["station"].index(docs)
    assert ".uploads/w.txt" in assistants["station"].status(files=True).sources


@pytest.mark.slow
def test_the_report_is_shown_without_anything_that_it_might_run(station):
    assistants, _, url = station
    own = assistants["station"]
    folder = own.folder / "experiments" / "x"
    folder.mkdir(parents=True)
    made = {"metric": "correct", "questions": 12, "costs": [{"arm": "rag", "seconds": 0.5}]}
    made["intervals"] = [{"arm": "rag", "mean": 0.75, "low": 0.5, "high": 1.0, "confidence": 0.9}]
    (folder / "decision.json").write_text(json.dumps(made))
    (folder / "report.html").write_text("<style>p {}</style><p>Run rag.</p><script>bad()</script>")
    adopt(own.folder, "rag", experiment="x", sentence="Run rag.")
    decision = _get(f"{url}/domains/station/decision").json()
    assert decision["sentence"].startswith("Run rag.")
    assert decision["arms"] == [{"arm": "rag", "mean": 0.75, "lower": 0.5, "upper": 1.0, "seconds": 0.5}]
    policy = _get(f"{url}/domains/station/report").headers["content-security-policy"]
    digest = base64.b64encode(hashlib.sha256(b"p {}").digest()).decode()
    assert policy.startswith(f"sandbox; default-src 'none'; style-src 'sha256-{digest}';")
    adopt(own.folder, "rag", experiment="../..", sentence="Run rag.")
    assert not _get(f"{url}/domains/station/decision").json()["report"]


def _as(*principals):
    names, seconds = ",".join(principals), str(int(time.time()))
    signed = hmac.new(_KEY.encode(), f"{seconds} {names}".encode(), hashlib.sha256).hexdigest()
    return {"X-Hybrid-User": f"{seconds} {signed} {names}"}


@pytest.mark.slow
def test_a_domain_that_cannot_answer_is_listed_with_the_reason(station):
    assistants, _, url = station
    (assistants["station"].folder / "DECISION").write_text("{")
    (listed,) = _get(f"{url}/domains").json()["domains"]
    (assistants["station"].folder / "DECISION").unlink()
    assert "does not name an arm" in listed["error"]
    assert str(assistants["station"].folder) not in listed["error"]


@pytest.mark.slow
def test_a_user_sees_and_adds_only_what_that_user_may_read(station):
    assistants, docs, url = station
    (docs / "secret.txt").write_text("The code of the north door is 7711.")
    (docs / "secret.txt.principals").write_text("anna")
    assistants["station"].index(docs)
    asked = {"source": "secret.txt", "start": 0, "end": 8}

    def stretch(**headers):
        return _get(f"{url}/domains/station/stretch", params=asked, headers=headers)

    assert stretch(**_as("anna", "staff")).json()["marked"] == "The code"
    assert _error(stretch(**_as("bob")), 404) == "there is no such document"
    assert "no user asks" in _error(stretch(), 400)
    assert _get(f"{url}/domains/station", headers=_as("bob")).json()["titles"] == []
    assert _get(f"{url}/domains/station").json()["rejected"] == []
    assert _get(f"{url}/domains/station/report").status_code in (403, 404)
    sent = _post(f"{url}/uploads/station?name=mine.txt", content=b"Of bob.", headers=_BYTES | _as("bob"))
    assert sent.status_code == 200
    titles = {
        who: _get(f"{url}/domains/station", headers=_as(who)).json()["titles"] for who in ("anna", "bob")
    }
    assert titles == {"anna": ["secret.txt"], "bob": [".uploads/mine.txt"]}


@pytest.mark.slow
def test_with_a_token_only_the_page_itself_is_open(open_domains, serve_at):
    access = Access(token=Secret("a token of sixteen letters"))
    with serve_at(Service.over(open_domains(), access)) as url:
        assert _get(url).status_code == _get(f"{url}/page/app.js").status_code == 200
        for path in ("domains", "domains/manual", "domains/manual/stretch", "domains/manual/report"):
            assert _get(f"{url}/{path}").status_code == 401
        assert _post(f"{url}/uploads/manual?name=a.txt", content=b"t", headers=_BYTES).status_code == 401
