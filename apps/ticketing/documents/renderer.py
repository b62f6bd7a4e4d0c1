"""The program that turns HTML into a PDF, in a process of its own: it has no database, no settings and no secrets.

`rendering` starts it as a file, in Python's isolated mode, and speaks with it through two pipes: one message in, one
message out, each a JSON head and a body with their lengths before them. What a page may show comes with the message or
lies in `fonts/` beside this file; it can reach nothing else, neither file nor network. Each job has its own bound of
CPU time, and the process its bound of memory. Standard library and WeasyPrint only: no Django here.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import shutil
import struct
import sys
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

import segno

VERSION = 1  # of what this program makes of the same page: raise it, and every file is made anew
FONTS = Path(__file__).parent / "fonts"
FACES = (
    ("Bricolage Grotesque", 800, "bricolage-grotesque-800-latin.ttf"),
    ("Bricolage Grotesque Extended", 800, "bricolage-grotesque-800-latin-ext.ttf"),
    ("Schibsted Grotesk", 400, "schibsted-grotesk-400-latin.ttf"),
    ("Schibsted Grotesk", 700, "schibsted-grotesk-700-latin.ttf"),
    ("Schibsted Grotesk Extended", 400, "schibsted-grotesk-400-latin-ext.ttf"),
    ("Schibsted Grotesk Extended", 700, "schibsted-grotesk-700-latin-ext.ttf"),
)
SCHEME = "foyer:"
QUIET_ZONE = 4  # modules of white around a code (ISO/IEC 18004)
# Any of the eight masks may be used. Choosing the best one costs more than all else in a code, and the codes are
# signatures: as good as random, so that all masks look alike.
MASK = 3
SIZES = struct.Struct(">II")
WARNINGS_TOLD = 5
NO_GLYPH = "a text has letters that no font on this machine can show"
PAGES_OF_RUBBISH = 60  # about 50 MB
FILE_BYTES = 32 * 1024 * 1024  # the largest file it may write: its fonts, unpacked


class Refused(ValueError):
    """A page asked for something it was not given."""


# --- Messages ----------------------------------------------------------------------------------------------------


def write_message(pipe: IO[bytes], head: dict[str, Any], body: bytes = b"") -> None:
    """Send one message."""
    text = json.dumps(head).encode()
    pipe.write(SIZES.pack(len(text), len(body)) + text + body)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """The next message, or None when the other end is gone."""
    sizes = pipe.read(SIZES.size)
    if len(sizes) < SIZES.size:
        return None
    head, body = SIZES.unpack(sizes)
    return json.loads(pipe.read(head)), pipe.read(body)


# --- What a page may show ----------------------------------------------------------------------------------------


def make_fetcher(things: dict[str, tuple[str, bytes]]) -> Any:
    """What WeasyPrint fetches with: `things` by address, {address: (type, content)}, and nothing else in the world."""
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class OnlyOurs(URLFetcher):
        def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
            if url not in things:
                raise Refused("a page shows only what comes with it")
            kind, content = things[url]
            return URLFetcherResponse(url, content, {"Content-Type": kind})

    return OnlyOurs()


def make_poster(svg: str, fetcher: Any, cache: dict[str, Any], options: dict[str, Any]) -> Any:
    """The poster as a picture that is drawn once into the file, however many pages show it."""
    import pydyf
    from weasyprint.images import SVGImage, get_image_from_uri

    class Context:
        """What an SVG asks for the pictures inside it."""

        font_config = None

        @staticmethod
        def get_image_from_uri(url: str, forced_mime_type: str | None = None) -> Any:
            return get_image_from_uri(cache, fetcher, options, url, forced_mime_type)

    class SharedPicture(SVGImage):
        """An SVG that WeasyPrint reuses as it reuses a photo: by its `id`, as one form of the file."""

        id = "poster"
        form = None

        def draw(self, stream: Any, width: float, height: float, style: Any) -> None:
            if self.form is None:
                resources = pydyf.Dictionary(
                    {name: pydyf.Dictionary() for name in ("ExtGState", "XObject", "Pattern", "Shading")}
                )
                resources["ColorSpace"] = stream._resources["ColorSpace"]
                resources["Font"] = None  # filled in by WeasyPrint with the fonts of the file
                extra = pydyf.Dictionary(
                    {
                        "Type": "/XObject",
                        "Subtype": "/Form",
                        "BBox": pydyf.Array((0, 0, width, height)),
                        "Resources": resources,
                    }
                )
                self.form, self.size = stream.clone(resources=resources, extra=extra, tags=None), (width, height)
                super().draw(self.form, width, height, style)
            name = stream.add_image(self, False, 1)
            stream.transform(a=width / self.size[0], d=height / self.size[1])
            stream.draw_x_object(name)

        def get_x_object(self, _interpolate: bool, _ratio: float) -> Any:
            return self.form

    return SharedPicture(ElementTree.fromstring(svg), f"{SCHEME}poster", fetcher, Context())


class QrCode:
    """A code as rectangles, one for each run of dark modules: sharp at any size, with the quiet zone around it."""

    def __init__(self, code: str) -> None:
        matrix = segno.make(code, error="m", boost_error=False, micro=False, mask=MASK).matrix
        self.modules = len(matrix) + 2 * QUIET_ZONE
        runs = []
        for y, row in enumerate(map(bytes, matrix), QUIET_ZONE):
            start = row.find(1)
            while start >= 0:
                end = row.find(0, start)
                end = len(row) if end < 0 else end
                runs.append(b"%d %d %d 1 re" % (start + QUIET_ZONE, y, end - start))
                start = row.find(1, end)
        self.drawing = b"\n".join([b"1 g 0 0 %d %d re f 0 g" % (self.modules, self.modules), *runs, b"f"])

    def get_intrinsic_size(self, _resolution: float, _font_size: float) -> tuple[float, float, float]:
        return self.modules, self.modules, 1

    def draw(self, stream: Any, width: float, height: float, _style: Any) -> None:
        with stream.stacked():
            stream.transform(a=width / self.modules, d=height / self.modules)
            stream.stream.append(self.drawing)


# --- Making the file ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def fonts() -> tuple[Any, Any]:
    """The font configuration of this process, with our faces in it, and the sheet that names them."""
    from weasyprint import CSS
    from weasyprint.text.fonts import FontConfiguration

    things = {f"{SCHEME}font/{name}": ("font/ttf", (FONTS / name).read_bytes()) for _family, _weight, name in FACES}
    rules = "\n".join(
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; src: url("{SCHEME}font/{name}") }}'
        for family, weight, name in FACES
    )
    configuration = FontConfiguration()
    return configuration, CSS(string=rules, font_config=configuration, url_fetcher=make_fetcher(things))


@lru_cache(maxsize=16)
def style_sheet(text: str) -> Any:
    """A parsed style sheet; those of the last few themes are kept. It can fetch nothing."""
    from weasyprint import CSS

    return CSS(string=text, font_config=fonts()[0], url_fetcher=make_fetcher({}))


def read_page(html: str, fetcher: Any) -> Any:
    """A page for WeasyPrint. One that is well-formed XML, as ours are, is read ten times faster than HTML is."""
    from cssselect2 import ElementWrapper
    from weasyprint import HTML

    try:
        root = ElementTree.fromstring(html)
    except ElementTree.ParseError:
        return HTML(string=html, url_fetcher=fetcher)

    class WellFormed(HTML):
        def __init__(self) -> None:
            self.base_url, self.url_fetcher, self.media_type = None, fetcher, "print"
            self.wrapper_element = ElementWrapper.from_html_root(root, content_language=None)
            self.etree_element = self.wrapper_element.etree_element

    return WellFormed()


def make(job: dict[str, Any], photo: bytes = b"", fetcher: Any = None) -> bytes:
    """The PDF of a job: `html`, `css`, the `poster` as SVG (which may show `foyer:photo`) and `codes` by address.

    Tagged as PDF/UA-1. `fetcher` stands in for ours in tests.
    """
    from weasyprint import DEFAULT_OPTIONS

    fetcher = fetcher or make_fetcher({f"{SCHEME}photo": ("image/jpeg", photo)} if photo else {})
    pictures: dict[str, Any] = {f"{SCHEME}{name}": QrCode(code) for name, code in job["codes"].items()}
    if job["poster"]:
        pictures[f"{SCHEME}poster"] = make_poster(job["poster"], fetcher, pictures, DEFAULT_OPTIONS)
    configuration, faces = fonts()
    return read_page(job["html"], fetcher).write_pdf(
        stylesheets=[faces, style_sheet(job["css"])],
        font_config=configuration,
        pdf_variant="pdf/ua-1",
        cache=pictures,
    )


# --- The process -------------------------------------------------------------------------------------------------


class Told(logging.Handler):
    """Collects what WeasyPrint complains of, for whoever wrote the template. Letters that no font of ours has are told
    once and not by name: they are those of a guest."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.complaints: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        complaint = NO_GLYPH if ".notdef" in str(record.msg) else record.getMessage()[:200]
        if len(self.complaints) < WARNINGS_TOLD and complaint not in self.complaints:
            self.complaints.append(complaint)


def bound_memory(megabytes: int) -> None:
    """No more memory than this from now on; no core files."""
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 1024 * 1024,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))


def bound_time(seconds: int) -> None:
    """The kernel ends the process when this job has used that many seconds of CPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    end = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (end, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def serve(source: IO[bytes], target: IO[bytes]) -> None:
    """Make one file after the other until nobody asks any more."""
    try:
        import weasyprint  # noqa: F401
    except OSError as error:  # Pango or one of its company is not on this machine
        write_message(target, {"missing": str(error).splitlines()[0][:200]})
        return
    told = Told()
    logger = logging.getLogger("weasyprint")
    logger.handlers, logger.propagate = [told], False
    fonts()
    write_message(target, {"ready": True})
    gc.freeze()
    gc.disable()  # a page is a heap of objects that live until it is done, and then are rubbish all at once
    pages = 0
    while (message := read_message(source)) is not None:
        job, photo = message
        told.complaints.clear()
        bound_time(job["cpu_seconds"])
        try:
            pdf = make(job, photo)
        except Exception as error:
            write_message(target, {"error": f"{type(error).__name__}: {error}"[:200]})
        else:
            write_message(target, {"complaints": told.complaints}, pdf)
            del pdf
        pages += len(job["codes"])
        if pages >= PAGES_OF_RUBBISH:
            gc.collect()
            pages = 0


if __name__ == "__main__":
    bound_memory(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    serve(sys.stdin.buffer, answers)
    shutil.rmtree(os.getcwd(), ignore_errors=True)  # its own folder; whoever asked may be gone
