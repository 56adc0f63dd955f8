"""The page in a real browser: what people do on it, by mouse and by keys, and what axe-core says of it."""

import asyncio
import json
import shutil
from types import SimpleNamespace

import httpx2
import pytest

from hybrid import Assistant, Assistants, load_settings
from hybrid.adaptation.values import AdapterKind
from hybrid.decision.adopted import adopt
from hybrid.serving.protocol import Access
from hybrid.serving.service import Service
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.trust import Secret
from hybrid.types import Answer, Arm

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, which the extra `test` has")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
_CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_CHROMIUM is None, reason="needs a chromium on the path, such as Debian's"),
]

_PORT = "What is the default port of the server?"
_MARKUP = "<img src=x onerror=hacked=1>"
_WIDE, _NARROW = {"width": 1_280, "height": 900}, {"width": 360, "height": 740}
_WAIT = 20_000


class _Scripted(ScriptedGenerator):
    """Say where zebras live if that is asked, and else a true and a false sentence."""

    def _reply(self, messages, stop):
        of_zebras = "where do zebras live" in messages[-1].content.lower()
        text = "Zebras live in Africa [1]." if of_zebras else self.replies[0]
        return self._said(text, messages, stop)


@pytest.fixture(scope="module")
def station(serve_at, tmp_path_factory, pdf):
    """Serve a domain with a PDF, a page with markup in it, and a decision; another domain beside it."""
    folder = tmp_path_factory.mktemp("station")
    values = {
        "indexes": str(folder / "indexes"),
        "documents": {"workers": 1},
        "grounding": {"scorer": "align"},
        "generation": {"reader": "generator", "support": 0.3},
    }
    settings = load_settings(values, environment={})
    said = "The default port of the server is 5432 [1]. The default port of the server is not 5432 [1]."
    models = {"settings": settings, "embedder": HashEmbedder(64), "generator": _Scripted([said])}
    docs = folder / "docs"
    docs.mkdir()
    lines = ["The server of the station", "The default port of the server is 5432.", "It is open at night."]
    (docs / "handbook.pdf").write_bytes(pdf([["For those who run the station."], lines]))
    (docs / "guide.md").write_text(f"# {_MARKUP}\n\nThe server restarts every night at two. {_MARKUP}\n")
    Assistant("station", **models).index(docs)
    other = folder / "other"
    other.mkdir()
    (other / "oven.txt").write_text("The oven bakes the dough at 220 degrees.")
    Assistant("kitchen", **models).index(other)
    _decided(folder / "indexes" / "station")
    service = Service.over(Assistants(**models), Access())
    with serve_at(service) as url:
        yield SimpleNamespace(url=url, service=service, docs=docs)


def _decided(folder):
    experiment = folder / "experiments" / "x"
    experiment.mkdir(parents=True)
    made = {"metric": "correct", "questions": 12, "costs": [{"arm": "rag", "seconds": 0.5}]}
    made["intervals"] = [{"arm": "rag", "mean": 0.75, "low": 0.5, "high": 1.0, "confidence": 0.9}]
    (experiment / "decision.json").write_text(json.dumps(made))
    (experiment / "report.html").write_text(
        "<title>Report</title><h1>Run rag</h1><script>document.title='ran'</script>"
    )
    adopt(folder, "rag", experiment="x", sentence="Run rag: it scores 75.0 of 100.")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, station):
    """Open the page: visit(viewport=..., color_scheme=...); nothing may go wrong on it, or elsewhere."""
    contexts, wrong = [], []

    def call(url=station.url, domain="station", **options):
        context = browser.new_context(**{"viewport": _WIDE, **options})
        context.set_default_timeout(_WAIT)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda told: wrong.append(told.text) if "Content Security" in told.text else None)
        page.on(
            "request", lambda asked: None if asked.url.startswith((url, "blob:")) else wrong.append(asked.url)
        )
        page.goto(url)
        if domain:
            page.select_option("#domain", domain)
        return page

    yield call
    for context in contexts:
        context.close()
    assert wrong == []


def _ask(page, question=_PORT):
    page.fill("#question", question)
    page.keyboard.press("Enter")


def _answered(page):
    _ask(page)
    page.wait_for_selector(".doubts li")
    return page.locator(".turn")


def _severe(page):
    found = axe.Axe().run(page).response["violations"]
    return [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def _overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


# --- what people do --------------------------------------------------------------------------------


def test_a_citation_opens_the_document_at_the_stretch_with_the_page_of_the_pdf(visit):
    page = visit()
    turn = _answered(page)
    assert "The default port of the server is 5432." in turn.locator(".text").inner_text()
    assert turn.locator(".sources").inner_text().split("\n")[0] == "1 source"
    # the chunk begins on the page before
    assert "handbook.pdf, page 2" in turn.locator(".sources").inner_text()
    turn.locator(".cite").first.click()
    assert page.locator("#document-text mark").inner_text() == "The default port of the server is 5432."
    page.wait_for_selector("#document-page img")
    picture = page.locator("#document-page img")
    assert "Page 2 of handbook.pdf" in picture.get_attribute("alt")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    assert "For those who run the station." in page.locator("#document-text").inner_text()
    assert page.locator("#document-place").inner_text() == "page 2"


def test_what_nothing_carries_is_underlined_with_what_speaks_against_it(visit):
    page = visit()
    turn = _answered(page)
    doubt = turn.locator(".text .doubt")
    assert doubt.all_inner_texts() == ["The default port of the server is not 5432."]
    assert "underline" in doubt.evaluate("one => getComputedStyle(one).textDecorationLine")
    against = turn.locator(".doubts li")
    assert against.get_attribute("id") == doubt.get_attribute("aria-describedby")
    told = against.inner_text()
    assert "The passages say otherwise" in told and "negation" in told
    assert against.locator("blockquote").all_inner_texts() == ["The default port of the server is 5432."]
    assert "handbook.pdf, page 2" in against.locator(".place").inner_text()
    against.locator(".place").click()
    assert page.locator("#document-text mark").inner_text() == "The default port of the server is 5432."
    page.wait_for_selector("#document-page img")


def test_why_says_the_arm_the_passages_and_the_cost(visit):
    page = visit(domain="")
    turn = _answered(page)
    turn.locator(".why summary").click()
    told = turn.locator(".why").inner_text()
    assert "station: passages" in told and "kitchen" in told
    assert "rag: Run rag: it scores 75.0 of 100." in told
    assert "handbook.pdf" in told and "tokens" in told.lower()


def test_the_vote_on_arms_is_blind_and_kept(visit, station):
    page = visit()
    page.check("#blind")
    _ask(page)
    page.wait_for_selector(".arms button")
    turn = page.locator(".compared")
    assert turn.locator(".arms h3").all_inner_texts() == ["Answer A", "Answer B"]
    assert "adapter and both cannot answer here" in turn.inner_text()
    turn.get_by_role("button", name="Answer A is the best").click()
    page.wait_for_selector(".best")
    names = turn.locator(".arms h3").all_inner_texts()
    assert sorted(name.split(" · ")[1] for name in names) == ["base", "rag"]
    (kept,) = station.service.feedback.preferences(domain="station")[-1:]
    assert names[0].endswith(kept.chosen.answer.arm.value)
    assert (kept.chosen_place, kept.rejected_place) == (0, 1)
    assert turn.locator(".arms > li button:has-text('This is the best')").count() == 0


def test_all_four_arms_stand_side_by_side_unnamed(visit, station, keep_adapter):
    own = station.service.assistants["station"]
    told = {"base": own.generator.name, "base_digest": own.generator.digest}
    keep_adapter(own.folder, "generator-001", **told)
    try:
        page = visit(viewport=_NARROW)
        page.check("#blind")
        _ask(page)
        turn = page.locator(".compared")
        turn.get_by_role("button", name="Answer D is the best").click()
        page.wait_for_selector(".best")
        names = turn.locator(".arms h3").all_inner_texts()
        assert "cannot answer here" not in turn.inner_text() and _overflow(page) == 0
    finally:
        own.adapters.rollback(AdapterKind.GENERATOR)
    assert sorted(name.split(" · ")[1] for name in names) == ["adapter", "base", "both", "rag"]
    kept = station.service.feedback.preferences(domain="station")[-3:]
    assert {one.chosen.answer.arm.value for one in kept} == {names[3].split(" · ")[1]}
    assert {(one.chosen_place, one.rejected_place) for one in kept} == {(3, 0), (3, 1), (3, 2)}


def test_a_vote_and_its_comment_are_kept(visit, station):
    turn = _answered(visit())
    turn.get_by_role("button", name="Bad answer").click()
    turn.get_by_label("What should it have said?").fill("Only the port.")
    turn.get_by_role("button", name="Send the comment").click()
    turn.get_by_text("Vote and comment are kept.").wait_for()
    assert turn.get_by_role("button", name="Bad answer").get_attribute("aria-pressed") == "true"
    votes = [(vote.value, vote.comment) for rated in station.service.feedback.rated() for vote in rated.votes]
    assert votes == [(-1, "Only the port.")]


def test_an_uploaded_file_answers_the_next_question(visit):
    page = visit()
    page.click("#about-open")
    page.wait_for_selector("#state dl")
    zoo = {"name": "zoo.txt", "mimeType": "text/plain", "buffer": b"Zebras live in Africa."}
    page.set_input_files(
        "#files", [zoo, {"name": "bad.pdf", "mimeType": "application/pdf", "buffer": b"no PDF"}]
    )
    page.get_by_text("indexed: 22 characters").wait_for()
    page.get_by_text("bad.pdf is not indexed").wait_for()
    assert page.locator("#uploads progress").first.evaluate("bar => bar.value") == 1
    page.get_by_role("button", name="Close").last.click()
    _ask(page, "Where do zebras live?")
    page.wait_for_selector(".cite")
    page.locator(".cite").click()
    page.wait_for_selector("#document-text mark")
    assert page.locator("#document-title").inner_text() == "zoo.txt"


def test_the_decision_is_shown_and_its_report_runs_nothing(visit):
    page = visit()
    page.click("#about-open")
    page.wait_for_selector("#decision table")
    assert "Run rag: it scores 75.0 of 100." in page.locator("#decision").inner_text()
    assert "rag\t75.0 %\t50.0 % to 100.0 %\t0.5 s" in page.locator("#decision table").inner_text()
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Open the whole report").click()
    report = opened.value
    report.wait_for_selector("h1")
    assert report.title() == "Report"


def test_markup_in_documents_is_text(visit):
    page = visit()
    _ask(page, f"{_MARKUP} {_PORT}")
    assert _MARKUP in page.locator(".asked").inner_text()
    page.evaluate("address => { location.hash = address }", "domain=station&source=guide.md&start=30&end=50")
    page.wait_for_selector("#document-text mark")
    assert _MARKUP in page.locator("#document-text").inner_text()
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("img[src=x]").count() == 0


class _Slow:
    """An answering that says one word and then thinks until it is stopped."""

    def __init__(self):
        self.stopped = False

    async def stream(self, asked):
        try:
            yield "Well, "
            await asyncio.sleep(_WAIT)
            yield Answer(asked.question, "Well, no.", Arm.RAG, "generator")
        finally:
            self.stopped = True

    async def close(self):
        pass


def test_an_answer_is_shown_as_it_comes_and_stopping_it_stops_the_server(visit, station, serve_at):
    slow = _Slow()
    with serve_at(Service(station.service.assistants, slow)) as url:
        page = visit(url)
        _ask(page)
        page.locator(".turn .text").get_by_text("Well,").wait_for()
        assert page.locator(".turn").get_attribute("aria-busy") == "true"
        page.get_by_role("button", name="Stop").click()
        page.locator(".failed").get_by_text("Stopped.").wait_for()
        page.wait_for_timeout(1_000)
        assert slow.stopped


def test_a_server_with_a_token_asks_for_it_once(visit, station, serve_at):
    token = "a token of sixteen letters"
    service = Service(
        station.service.assistants,
        station.service.answering,
        Access(token=Secret(token)),
        station.service.feedback,
    )
    guarded = Service(service.assistants, _Kept(service.answering), service.access, None)
    with serve_at(guarded) as url:
        page = visit(url, domain="")
        page.get_by_label("Key", exact=True).fill("a wrong one of as many letters")
        page.keyboard.press("Enter")
        page.get_by_label("Key", exact=True).fill(token)
        page.keyboard.press("Enter")
        page.select_option("#domain", "station")
        _ask(page)
        page.locator(".cite").first.click()
        page.wait_for_selector("#document-page img")


class _Kept:
    """An answering that another server closes."""

    def __init__(self, answering):
        self._answering = answering

    def stream(self, asked):
        return self._answering.stream(asked)

    async def close(self):
        pass


# --- for whom --------------------------------------------------------------------------------------


def test_everything_is_reached_by_keys(visit):
    page = visit()
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type(_PORT)
    page.keyboard.press("Enter")
    page.wait_for_selector(".doubts li")
    page.keyboard.press("Escape")
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.className") == "cite":
            break
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Source 1: ")
    page.keyboard.press("Enter")
    page.wait_for_selector("#document[open] mark")
    assert page.evaluate("document.activeElement.closest('dialog').id") == "document"
    page.keyboard.press("Escape")
    assert not page.locator("#document").is_visible()
    assert page.evaluate("document.activeElement.className") == "cite"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [_WIDE, _NARROW], ids=["wide", "narrow"])
def test_nothing_serious_stands_in_anybodys_way(visit, scheme, viewport):
    # what fades in has no contrast yet
    page = visit(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    assert dark == (scheme == "dark")
    assert (_severe(page), _overflow(page)) == ([], 0)
    turn = _answered(page)
    turn.locator(".why summary").click()
    turn.get_by_role("button", name="Good answer").click()
    page.wait_for_selector(".comment:not([hidden])")
    assert (_severe(page), _overflow(page)) == ([], 0)
    turn.locator(".cite").first.click()
    page.wait_for_selector("#document-page img")
    assert (_severe(page), _overflow(page)) == ([], 0)
    page.keyboard.press("Escape")
    page.click("#about-open")
    page.wait_for_selector("#state dl")
    page.wait_for_selector("#decision table")
    assert (_severe(page), _overflow(page)) == ([], 0)
    page.keyboard.press("Escape")
    page.check("#blind")
    _ask(page)
    page.wait_for_selector(".arms button")
    assert (_severe(page), _overflow(page)) == ([], 0)


def test_the_link_of_a_citation_opens_its_stretch(visit, station):
    asked = httpx2.post(f"{station.url}/ask", json={"question": _PORT, "domain": "station"}, timeout=60)
    place = asked.json()["citations"][0]
    page = visit(domain="")
    page.goto(place["url"])
    page.wait_for_selector("#document-text mark")
    assert page.text_content("#document-text mark") == place["text"]


def test_awkward_text_is_shown_as_it_is_read(visit):
    page = visit(viewport=_NARROW)
    told = "As asked:\n| Lamp | Note |\n|---|---|\n| L7 😀 | dim [1] |\n| L8 | none |\nThat is all."
    table = page.evaluate(
        """async (told) => {
            const { answerNodes } = await import("/page/parts.js");
            const shown = document.createElement("div");
            const start = [...told].indexOf("😀"), end = start + 8;
            const places = [{ number: 1, source: "lamps.md" }];
            shown.append(...answerNodes(told, places, [{ start, end, id: "d" }], () => {}));
            const texts = (found) => [...found].map((one) => one.innerText.trim());
            const cells = [...shown.querySelectorAll("tr")].map((row) => texts(row.children));
            const marked = texts(shown.querySelectorAll("mark"));
            return { cells, marked, around: shown.firstChild.data + shown.lastChild.data };
        }""",
        told,
    )
    assert table["cells"] == [["Lamp", "Note"], ["L7 😀", "dim 1"], ["L8", "none"]]
    assert table["marked"] == ["😀", "dim"] and table["around"] == "As asked:\nThat is all."
    long = "What is the default port, and whom do we tell of it? " * 300
    page.locator("#question").fill(long)
    assert page.input_value("#question") == long
    page.keyboard.press("Enter")
    page.wait_for_selector(".why:not([hidden])")
    assert page.locator(".asked").bounding_box()["height"] < 250 and _overflow(page) <= 0
    _ask(page, "מה?")  # it runs from the right, as its script does
    right = page.evaluate(
        """() => {
            const shown = [...document.querySelectorAll(".asked")].at(-1);
            const words = document.createRange();
            words.selectNodeContents(shown);
            return shown.getBoundingClientRect().right - words.getBoundingClientRect().right;
        }"""
    )
    assert right < 2
