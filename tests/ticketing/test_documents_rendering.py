"""The renderer: tagged PDF with a code that scanners read, strangers' words as words, and bounds nobody breaks."""

from __future__ import annotations

import dataclasses
import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from weasyprint.urls import URLFetcher

from apps.ticketing.documents import renderer, rendering
from apps.ticketing.documents.rendering import Job, NotMade, OutOfBounds
from tests.ticketing.documents import codes_of, objects_of, page_of, text_of

CODE = (
    "6BFOXN*TS0BI$ZD-PHQ7I9AD66V5B22CH9M9ESI9XBHXK-%69LQOGI.*V76G"
    "CV4*XUA2P-FHT-HNTI4L6N$Q%UG/YL WO*Z7ON13:LHNG7H8H%BFP8FG4T 9OKGUX"
)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 1"><path d="M0 0h2v1H0z" fill="#123456"/>{}</svg>'


@pytest.fixture(scope="module", autouse=True)
def our_renderer() -> Iterator[None]:
    """One renderer, with the bounds of the house, serves all tests that set no others: starting one is the cost."""
    rendering.close()
    yield
    rendering.close()


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """No test meets a style sheet that another one's fetcher read into this process."""
    yield
    renderer.style_sheet.cache_clear()
    renderer.fonts.cache_clear()


@pytest.fixture
def own_renderer() -> Iterator[None]:
    """A renderer of the test's own bounds, begun by its first file and ended with it."""
    rendering.close()
    yield
    rendering.close()


def test_a_code_is_read_from_the_printed_page(tmp_path: Path) -> None:
    html = page_of('<img src="foyer:qr/1" alt="Code" style="width:68mm"/>')

    pdf = rendering.render(Job(html, "", codes={"qr/1": CODE}))

    assert codes_of(pdf, tmp_path) == [CODE]


def test_a_code_is_57_mm_of_version_6_with_its_quiet_zone_on_white() -> None:
    code = renderer.QrCode(CODE)

    assert code.modules == 41 + 2 * 4
    assert code.drawing.startswith(b"1 g 0 0 49 49 re f")
    assert pytest.approx(57, abs=0.02) == 68.13 * 41 / 49  # the style sheet's 68.13 mm


def test_the_poster_is_in_the_file_once_however_many_pages_show_it() -> None:
    def size(pages: int) -> int:
        poster = SVG.format("".join(f'<circle cx="1" cy=".5" r="0.{n:05d}"/>' for n in range(500)))
        body = '<div style="height:100mm;break-after:page;background:url(foyer:poster) no-repeat">.</div>' * pages
        return len(rendering.render(Job(page_of(body), "", poster=poster)))

    assert size(20) - size(1) < size(1)


def test_letters_that_no_font_has_are_told_once_and_not_by_name(caplog: pytest.LogCaptureFixture) -> None:
    unknown = "\U0010fffd\U0010fffc"

    rendering.render(Job(page_of(f"<p>{unknown}</p><p>{unknown}</p>"), ""))

    told = [record.getMessage() for record in caplog.records if record.name == rendering.__name__]
    assert told == [f"the template of PDF tickets: {renderer.NO_GLYPH}"]


# --- Nothing but what comes with the page ------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that notes what it is asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


WAYS = (
    '<img src="{}" alt="x"/>',
    '<link rel="stylesheet" href="{}"/>',
    '<object data="{}">x</object>',
    '<embed src="{}"/>',
    '<link rel="attachment" href="{}"/>',
    '<a rel="attachment" href="{}">x</a>',
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{}" width="9" height="9"/></svg>',
    '<style>@import url("{}");</style>',
    '<style>@font-face { font-family: Theirs; src: url("{}") } p { font-family: Theirs }</style>',
    '<p style="background: url({})">Words</p>',
    '<p style="border: 1mm solid; border-image: url({}) 1">Words</p>',
    '<ul style="list-style-image: url({})"><li>Words</li></ul>',
)


def reaching(*places: str) -> Job:
    """A page that asks for something from each place in every way a page can ask. `{}` in a place is the way."""
    pairs = [(way, place) for place in places for way in range(len(WAYS))]
    body = "".join(WAYS[way].replace("{}", place.replace("{}", str(way))) for way, place in pairs)
    shown = "".join(f'<image href="{place.replace("{}", "poster")}" width="2" height="1"/>' for place in places)
    poster = '<div style="height:9mm;background:url(foyer:poster) no-repeat">.</div>'
    return Job(page_of(body + poster), f'h1 {{ background: url("{places[0]}") }}', poster=SVG.format(shown))


def test_a_template_reaches_neither_network_nor_files(listener: tuple[str, list[str]], tmp_path: Path) -> None:
    site, asked = listener
    secret = tmp_path / "secret.svg"
    secret.write_text(SVG.format('<path d="M0 0h1v1z" fill="#FACADE"/>') + "<!-- SECRET -->")
    colour = f"{0xFA / 255:.3f}"
    job = reaching(f"{site}/{{}}", secret.as_uri())

    open_to_all = objects_of(renderer.make(dataclasses.asdict(job), fetcher=URLFetcher()))
    assert set(asked) == {f"/{way}" for way in range(len(WAYS))} | {"/poster"}, "so the page does ask for all that"
    assert colour in open_to_all and "SECRET" in open_to_all
    asked.clear()

    renderer.style_sheet.cache_clear()
    ours = objects_of(rendering.render(job))

    assert asked == []
    assert "SECRET" not in ours and colour not in ours


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "https://example.org/",
        "file:///etc/passwd",
        "data:text/css,p{color:red}",
        "ftp://example.org/",
        "foyer:font/../renderer.py",
        "foyer:",
        "/etc/passwd",
    ],
)
def test_the_fetcher_gives_only_what_it_was_given(address: str) -> None:
    with pytest.raises(renderer.Refused):
        renderer.make_fetcher({"foyer:photo": ("image/jpeg", b"")}).fetch(address)


def test_the_renderer_is_told_no_secret_of_ours() -> None:
    rendering.render(Job(page_of("<p>x</p>"), ""))
    process = rendering._renderer
    assert process is not None

    environment = Path(f"/proc/{process.process.pid}/environ").read_bytes().split(b"\0")

    assert {entry.split(b"=")[0] for entry in environment if entry} == {b"PATH", b"LANG", b"HOME", b"TMPDIR"}


# --- Bounds ------------------------------------------------------------------------------------------------------


def heavy(rows: int) -> Job:
    """A page that takes some time: tables in tables."""
    return Job(page_of("<table><tr><td><table>" + "<tr><td>x</td></tr>" * rows + "</table></td></tr></table>"), "")


def good() -> bool:
    return rendering.render(Job(page_of("<p>x</p>"), "")).startswith(b"%PDF-")


def test_a_page_that_takes_too_long_is_stopped_and_the_next_is_made() -> None:
    assert good()
    begun = time.monotonic()

    with pytest.raises(OutOfBounds, match="too long"):
        rendering.render(heavy(20_000), seconds=1)

    assert time.monotonic() - begun < 10
    assert good()


@pytest.mark.usefixtures("own_renderer")
def test_the_kernel_stops_a_page_that_burns_its_cpu_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as tight:
        tight.setattr(rendering, "CPU_SECONDS", 1)
        with pytest.raises(OutOfBounds, match="more time or memory"):
            rendering.render(heavy(40_000), seconds=60)

    assert good()


@pytest.mark.usefixtures("own_renderer")
def test_a_page_that_eats_memory_is_stopped_and_the_next_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "MEMORY_MB", 340)
    assert good()

    with pytest.raises(OutOfBounds):
        rendering.render(heavy(40_000), seconds=60)

    assert good()


def test_a_page_of_any_length_is_not_even_begun() -> None:
    with pytest.raises(OutOfBounds, match="longer"):
        rendering.render(Job("x" * (rendering.HTML_BYTES + 1), ""))


def test_a_renderer_that_dies_is_replaced() -> None:
    assert good()
    process = rendering._renderer
    assert process is not None
    process.process.kill()
    process.process.wait()

    assert good()
    assert rendering._renderer is not process


@pytest.mark.usefixtures("own_renderer")
def test_a_renderer_is_replaced_after_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "FILES_EACH", 2)
    assert good()
    first = rendering._renderer

    assert good()

    assert rendering._renderer is None and first is not None
    assert first.process.poll() is not None and not Path(first._folder).exists()


def test_whatever_interrupts_a_file_ends_the_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    class JobTimeout(BaseException):
        """As RQ's, which comes by a signal."""

    def interrupted(*_: object) -> bytes:
        raise JobTimeout

    assert good()
    running = rendering._renderer
    assert running is not None
    monkeypatch.setattr(rendering.Renderer, "_answer", interrupted)

    with pytest.raises(JobTimeout):
        rendering.render(Job(page_of("<p>x</p>"), ""))

    assert running.process.poll() is not None
    monkeypatch.undo()
    assert good()


@pytest.mark.usefixtures("own_renderer")
def test_a_machine_without_pango_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "weasyprint.py").write_text("raise OSError(\"cannot load library 'libgobject-2.0-0'\")\n")
    start = (
        f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r});"
        f" runpy.run_path({str(rendering.PROGRAM)!r}, run_name='__main__')"
    )
    monkeypatch.setattr(rendering, "COMMAND", [sys.executable, "-I", "-c", start])

    with pytest.raises(NotMade) as refusal:
        rendering.render(Job(page_of("<p>x</p>"), ""))

    assert refusal.value.reason == (
        "PDF tickets need the Debian packages libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
        " (cannot load library 'libgobject-2.0-0')."
    )
    assert rendering.problem() == refusal.value.reason


def test_a_machine_that_can_says_so() -> None:
    assert rendering.problem() == ""


def test_a_broken_page_is_an_error_and_no_harm() -> None:
    broken = Job(page_of("<p>x</p>"), "", poster="<svg")

    with pytest.raises(NotMade, match="ParseError"):
        rendering.render(broken)

    assert good()


def test_a_page_that_is_not_well_formed_is_read_as_html(tmp_path: Path) -> None:
    pdf = rendering.render(Job("<!doctype html><html lang=en><title>x</title><p>One<br>two&nbsp;three", ""))

    assert text_of(pdf, tmp_path) == "One two three"


def test_the_renderer_ends_with_its_worker() -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(Path.cwd())!r})\n"
        "from apps.ticketing.documents.rendering import Renderer\n"
        "import os; made = Renderer(); print(made.process.pid, made._folder, flush=True); os._exit(0)"
    )
    environment = {**rendering.os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    start = "import django; django.setup()\n"
    command = [sys.executable, "-c", start + script]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    pid, folder = said.stdout.split()

    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline, "it outlives its worker"
        time.sleep(0.05)
    assert not Path(folder).exists()
