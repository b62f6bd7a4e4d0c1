"""The whole journey, told from top to bottom in the real house: site, live, cron, two workers, bank and mailbox. Then
the house as its user meets it: every address, Ctrl-C, a second start, kill -9 and a start with newer code.

An organiser writes a page that sells; a buyer on a phone chooses, waits, pays and gets tickets by mail; the camera at
the door reads the printed page and lets its guest in once. Everything is clicked; only the invariants are asked of the
database.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path

import pytest
from embedded import beside, processes
from playwright.sync_api import Browser, Page, expect

from tests import browsers
from tests.architecture.source import ROOT
from tests.browser import y4m
from tests.browser.conftest import DESKTOP, PHONE, SLOWEST_MILLISECONDS, browser, violations  # noqa: F401 - `browser` is a fixture
from tests.demo_house import House, copy_house
from tests.journeys import organiser

STOP_WITHIN_SECONDS = 10
STARTS = (datetime.now() + timedelta(days=60)).replace(hour=18, minute=0)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = copy_house(tmp_path_factory.mktemp("journey").resolve() / "a house")  # a space in the path harms nobody
    made.start()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def logins(house: House) -> dict[str, dict[str, str]]:
    return {one["role"]: one for one in json.loads((house.root / "var/demo/logins.json").read_text())}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """What the cameras of `camera_browser` see; they open it when they are started."""
    return tmp_path / "camera.y4m"


@pytest.fixture
def camera_browser(browser: Browser, film: Path) -> Iterator[Browser]:  # noqa: F811
    made = browsers.launch_with_camera(browser.browser_type, film)
    yield made
    made.close()


def window(browser: Browser, size: dict[str, int]) -> Page:  # noqa: F811
    context = browser.new_context(
        viewport=size, locale="en-GB", timezone_id="Europe/Stockholm", reduced_motion="reduce"
    )
    context.set_default_timeout(SLOWEST_MILLISECONDS)
    return context.new_page()


def test_a_page_sells_a_ticket_that_opens_the_door(
    browser: Browser,  # noqa: F811
    camera_browser: Browser,
    film: Path,
    house: House,
    logins: dict[str, dict[str, str]],
    tmp_path: Path,
) -> None:
    base = f"http://localhost:{house.environment['PORT']}"

    # 1. The organiser makes event, places, tickets and page, previews it and publishes.
    desk = window(browser, DESKTOP)
    organiser.sign_in(desk, base, logins["organiser"]["email"], logins["organiser"]["password"])
    organiser.create_event(desk, base, "Vårbal", "Spring ball", STARTS, STARTS + timedelta(hours=7))
    organiser.add_places(desk, "The hall", 3)
    organiser.add_ticket(desk, organiser.HELPER)
    organiser.add_ticket(desk, organiser.DINNER)
    event_address = desk.url
    organiser.begin_page(desk, "English")
    organiser.write_text(organiser.add_block(desk, "Text"), "Spring has come to the island.")
    organiser.add_block(desk, "Tickets")
    organiser.write_text(organiser.add_block(desk, "Text"), "Dress: something that flowers.")
    expect(organiser.preview(desk).get_by_text("Spring has come to the island.")).to_be_visible()
    address = organiser.publish(desk)

    # 2. A buyer on a phone chooses two dinners, one without alcohol, and is sent to the order page.
    phone = window(browser, PHONE)
    phone.goto(base + address)
    expect(phone.get_by_text("Spring has come to the island.")).to_be_visible()
    dinner = phone.locator(".type-row").filter(has_text="Dinner")
    expect(dinner).to_contain_text("SEK 250")
    plus = dinner.locator(".stepper button").last
    plus.click()
    plus.click()
    phone.get_by_role("radio", name=re.compile("Beer")).first.check(force=True)
    phone.get_by_role("radio", name=re.compile("Alcohol-free")).last.check(force=True)
    phone.get_by_role("textbox", name=re.compile("E-mail")).fill("robin@example.org")
    expect(phone.locator(".ticket-block")).to_contain_text("SEK 490")
    assert violations(phone) == []
    phone.get_by_role("button", name=re.compile("Buy 2")).click()
    phone.wait_for_url("**/orders/**")

    # 3. A worker decides; the page shows it by itself. Name, terms, and the sandbox bank.
    expect(phone.get_by_role("heading", level=1)).to_contain_text("2 tickets")
    expect(phone.locator(".hold-bar")).to_contain_text(re.compile(r"1[45]:\d\d"))
    phone.locator("input[name=name]").fill("Robin Lund")
    phone.locator("input[name=terms]").check(force=True)
    phone.get_by_role("button", name=re.compile("Pay SEK 490")).click()
    phone.wait_for_url("**/sandbox/**")
    phone.get_by_role("radio", name=re.compile("declined")).check(force=True)
    phone.get_by_role("button", name=re.compile("Pay SEK 490")).click()
    phone.wait_for_url("**/orders/**")
    expect(phone.locator("main")).to_contain_text("nothing was charged")
    phone.get_by_role("button", name=re.compile("Pay SEK 490")).click()
    phone.wait_for_url("**/sandbox/**")
    phone.get_by_role("button", name=re.compile("Pay SEK 490")).click()
    phone.wait_for_url("**/orders/**")
    expect(phone.get_by_role("heading", level=1)).to_contain_text("yours!")

    # 4. The ticket with its code, and the mail.
    phone.get_by_role("link", name=re.compile("Show ticket 1")).click()
    phone.wait_for_url("**/tickets/**")
    expect(phone.locator("main svg[role=img]").first).to_be_visible()
    assert violations(phone) == []
    show_to_camera(film, attached_pdf(house, to="robin@example.org"), tmp_path)
    mail = window(browser, DESKTOP)
    mail.goto(f"http://localhost:{house.environment['MAIL_PORT']}/")
    expect(mail.locator("body")).to_contain_text("robin@example.org")
    expect(mail.locator("body")).to_contain_text("Spring ball")

    # Somebody else gets the last place, and a third is told to wait. The second does not pay: after 15 minutes by the
    # database's clock their hold ends, and the third is served.
    second, third = choose_free_ticket(browser, base + address), choose_free_ticket(browser, base + address)
    for page in (second, third):
        page.get_by_role("button", name=re.compile("Get 1|Buy 1|ticket")).last.click()
        page.wait_for_url("**/orders/**")
    expect(second.get_by_role("heading", level=1)).to_have_text("1 ticket is held for you")
    expect(third.get_by_role("heading", level=1)).not_to_have_text("1 ticket is held for you")
    move = "from datetime import timedelta; from tests.clock import move_clock; move_clock(timedelta(minutes={}))"
    house.manage("shell", "-c", move.format(16))
    expect(third.get_by_role("heading", level=1)).to_have_text("1 ticket is held for you")
    second.reload()  # its own clock ran on as always
    expect(second.locator("main")).to_contain_text("Time ran out and the place moved on. Nothing was charged.")
    house.manage("shell", "-c", move.format(0))

    # 5. The organiser gives passes to two volunteers, who open them on their phones. Their cameras see the paper that
    # the worker printed: the first looks at the guest's age and lets them in, with the choice; the second is told since
    # when and by whom.
    links = [organiser.give_pass(desk, event_address, name) for name in ("Robin", "Kim")]
    robin, kim = (open_pass(camera_browser, link) for link in links)
    robin.locator("[data-camera-start]").click()
    expect(robin.locator(".door__word")).to_have_text("LOOK")
    expect(robin.locator("main")).to_contain_text("Identity card, 18 years")
    robin.get_by_role("button", name="It is right, let in").click()
    expect(robin.locator(".door__word")).to_have_text("IN")
    expect(robin.locator("main")).to_contain_text("Beer")
    kim.locator("[data-camera-start]").click()
    expect(kim.locator(".door__word")).to_have_text("STOP")
    expect(kim.locator("main")).to_contain_text("by Robin")

    # The friend's phone is flat: the short code of the other ticket is typed, and typed again.
    with phone.expect_navigation():
        phone.get_by_role("link", name=re.compile("Show ticket 2")).click()
    code = re.sub(r"[^A-Z0-9]", "", phone.locator(".ticket__code").inner_text().removeprefix("Short code"))
    for word, told in (("IN", "Alcohol-free"), ("STOP", "by Robin")):
        robin.locator("#code").fill(code)
        robin.locator("#code").press("Enter")
        if word == "IN":
            robin.get_by_role("button", name="It is right, let in").click()
        expect(robin.locator(".door__word")).to_have_text(word)
        expect(robin.locator("main")).to_contain_text(told)

    assert re.fullmatch(r"All \d+ promises are kept\.\n", house.manage("check_invariants"))


def attached_pdf(house: House, *, to: str) -> bytes:
    """The tickets as they came with the mail, once a worker has made and sent them."""
    found: list[bytes] = []

    def look() -> bool:
        for path in (house.root / "var/demo/mail").glob("*.eml"):
            message = message_from_bytes(path.read_bytes(), policy=policy.default)
            if to in str(message["To"]):
                found.extend(part.get_content() for part in message.iter_attachments() if _is_pdf(part))
        return bool(found)

    assert processes.wait_until(look, 60, pause=0.5), house.log("worker-default")
    return found[0]


def _is_pdf(part: Message) -> bool:
    return part.get_content_type() == "application/pdf"


def show_to_camera(film: Path, pdf: bytes, folder: Path) -> None:
    """Hold the first page of the tickets before the camera, its code in the middle of the picture."""
    (folder / "tickets.pdf").write_bytes(pdf)
    picture = ["pdftoppm", "-r", "120", "-gray", "-singlefile", folder / "tickets.pdf", folder / "page"]
    subprocess.run(picture, check=True)
    y4m.write_pictures(film, [(y4m.EMPTY, 1), (y4m.of_paper(folder / "page.pgm"), 8)])


def open_pass(camera_browser: Browser, link: str) -> Page:
    """A volunteer's phone, the pass opened, at the door."""
    page = window(camera_browser, PHONE)
    page.goto(link)
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url("**/door/**")
    return page


def choose_free_ticket(browser: Browser, address: str) -> Page:  # noqa: F811
    """Another buyer, in a browser of their own, has filled in the form for one helper's ticket and not sent it yet."""
    page = window(browser, PHONE)
    page.goto(address)
    page.locator(".type-row").filter(has_text="Helper").locator(".stepper button").last.click()
    page.get_by_role("textbox", name=re.compile("E-mail")).fill(f"guest{os.urandom(3).hex()}@example.org")
    return page


def test_the_commands_of_the_readme_run_beside_the_demo(house: House) -> None:
    lines = re.findall(r"^make manage .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert len(lines) >= 3
    assert (house.root / "var/demo/beside.json").stat().st_mode & 0o777 == 0o600

    said = [house.run(["bash", "-c", line]) for line in lines]

    assert [done.returncode for done in said] == [0] * len(lines), [done.stdout + done.stderr for done in said]
    assert said[0].stdout.endswith(": paused\n")
    assert "Commands    make manage ARGS=doctor\n" in house.text


# --- The house itself, once nobody is in it any more -----------------------------------------------------------------


@pytest.fixture
def stopped(house: House) -> House:
    """The house at rest, whichever test was in it before: prepared by its first start, and ended."""
    if house.process and house.process.poll() is None:
        house.process.terminate()
        assert house.process.wait(30) == 0
    return house


def test_the_demo_said_where_it_is_answers_and_stops(house: House) -> None:
    assert re.search(r"Demo data \.+ +\d+\.\d s", house.text)
    assert f"Site        http://localhost:{house.environment['PORT']}/" in house.text
    logins = json.loads((house.root / "var" / "demo" / "logins.json").read_text())
    assert {"organiser", "treasurer", "buyer", "door"} <= {one["role"] for one in logins}
    for one in logins:
        assert re.search(rf"{one['role']} +{re.escape(one['email'])} +{re.escape(one['password'])}\n", house.text)
    assert house.get("PORT", "/livez")[0] == 200
    assert house.get("PORT", "/")[0] == 200
    assert house.get("LIVE_PORT", "/livez")[0] == 200
    assert house.get("MAIL_PORT", "/")[0] == 200
    secrets = house.root / "var" / "demo" / "secrets.json"
    assert secrets.stat().st_mode & 0o777 == 0o600
    lines = house.running()
    assert [line for line in lines if "rqworker" in line and line.rstrip().endswith("purchases")]
    assert [line for line in lines if "rqworker" in line and line.rstrip().endswith("default documents")]
    assert [line for line in lines if "manage.py cron" in line]

    assert house.process
    begun = time.monotonic()
    house.process.send_signal(signal.SIGINT)
    assert house.process.wait(30) == 0
    assert time.monotonic() - begun < STOP_WITHIN_SECONDS
    assert house.running() == []


def test_a_second_start_does_not_repeat_the_first_and_kill_9_leaves_nothing(stopped: House) -> None:
    house = stopped
    house.start()

    assert "Demo data" not in house.text
    assert house.get("PORT", "/")[0] == 200
    assert house.process

    another = house.run([sys.executable, "-m", "embedded.demo"])
    assert (another.returncode, another.stdout) == (1, "")
    pid = house.process.pid
    assert another.stderr == f"The demo of this checkout is running already (process {pid}); stop it first.\n"
    assert house.get("PORT", "/livez")[0] == 200

    house.process.kill()
    house.process.wait()
    assert processes.wait_until(lambda: not house.running(), STOP_WITHIN_SECONDS), house.running()
    late = house.run([sys.executable, "-m", "embedded", "manage", "doctor"])
    assert (late.returncode, late.stdout, late.stderr) == (1, "", f"{beside.NOT_RUNNING}\n")


def test_changed_code_prepares_the_database_again(stopped: House) -> None:
    house = stopped
    (house.root / "apps" / "newer.py").write_text("# a change\n")

    house.start(FOYER_EMBEDDED="")

    assert "Demo data" in house.text
    assert house.process
    house.process.terminate()
    assert house.process.wait(30) == 0
