"""The page of a ranking in a real Chromium: quiet, sortable, readable on any screen.

Chromium is looked for on the machine (``apt-get install chromium``) and where ``playwright install
chromium`` puts it; where there is none these tests are skipped.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from made_kept import NAMES, made_kept, runs

from ncselect.report.page import report_page

LONG = "an/unbroken/name/" + "of_a_hundred_and_more_letters" * 4
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONES = (320, 360, 390)
LEAST_TEXT = 9.5  # pixels of a figure's words on a phone


@pytest.fixture(scope="module")
def chromium():
    """Return a running Chromium, or skip with the reason."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with playwright.sync_playwright() as driver:
        path = found or driver.chromium.executable_path
        if not Path(path).exists():
            pytest.skip(f"no Chromium: none of {', '.join(BROWSERS)}, and none of playwright's")
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Return the address of a page with everything that a page can have."""
    kept = made_kept(
        runs((*NAMES[:3], LONG)),
        methods=("combined", "best-value"),
        command="ncselect rank --models " + "small," * 40,
        failed={"NASNetLarge": "its weights cannot be had: " + "/a/long/path" * 20},
        decisions=(
            {"epochs": 2, "spent": 12.5, "what": "dropped", "models": ["VGG16", LONG],
             "reason": "improbable"},
        ),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_page(kept, store="runs"))
    return path.as_uri()


@contextmanager
def opened(chromium, address, width=1280, **options):
    """Open the page; fail if it complains or asks for anything."""
    context = chromium.new_context(viewport={"width": width, "height": 800}, **options)
    page = context.new_page()
    heard, asked = [], []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    context.close()
    assert heard == []
    assert asked == [address]


def column(page, place):
    return page.locator("#table-ranking tbody tr").evaluate_all(
        f"rows => rows.map(row => row.cells[{place}].textContent)"
    )


def place_of(page, heading):
    return page.locator("#table-ranking thead th").evaluate_all(
        "(cells, name) => cells.findIndex(cell => cell.textContent.trim() === name)", heading
    )


def test_a_click_sorts_and_says_so(chromium, address):
    with opened(chromium, address) as page:
        place = place_of(page, "parameters, millions")
        best_first = column(page, 1)
        heading = page.locator("#table-ranking thead th").nth(place)
        heading.get_by_role("button").click()
        assert column(page, place) == ["1.00", "2.00", "3.00", "4.00"]
        assert heading.get_attribute("aria-sort") == "ascending"
        assert page.get_by_role("status").first.text_content() == (
            "Sorted by parameters, millions, ascending."
        )
        heading.get_by_role("button").click()
        assert column(page, place) == ["4.00", "3.00", "2.00", "1.00"]
        assert heading.get_attribute("aria-sort") == "descending"
        page.get_by_role("button", name="rank", exact=True).click()
        assert column(page, 1) == best_first
        assert page.locator("#table-ranking [aria-sort]").count() == 1


def test_the_keyboard_sorts_and_what_is_unknown_stays_last(chromium, address):
    with opened(chromium, address) as page:
        page.evaluate(
            "() => { const row = document.querySelector('#table-ranking tbody tr');"
            " const cell = row.cells[2]; cell.dataset.order = ''; cell.textContent = '–'; }"
        )
        button = page.locator("#table-ranking").get_by_role("button", name="predicted accuracy")
        for key, order in (("Enter", "descending"), ("Space", "ascending")):
            button.focus()
            page.keyboard.press(key)
            heading = page.locator("#table-ranking thead th").nth(2)
            assert heading.get_attribute("aria-sort") == order
            shown = column(page, 2)
            assert shown[-1] == "–"
            assert shown[:-1] == sorted(shown[:-1], reverse=order == "descending")


def test_names_are_sorted_as_words(chromium, address):
    with opened(chromium, address) as page:
        page.locator("#table-ranking").get_by_role("button", name="model").click()
        assert column(page, 1) == sorted(column(page, 1), key=str.casefold)


@pytest.mark.parametrize("width", PHONES)
def test_it_fits_a_phone(chromium, address, width):
    with opened(chromium, address, width, device_scale_factor=2, is_mobile=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("window.innerWidth") == width
        wide = page.locator(".scroll").evaluate_all(
            "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth)"
            ".map(box => getComputedStyle(box).overflowX)"
        )
        assert wide
        assert set(wide) == {"auto"}
        outside = page.evaluate(
            "() => [...document.querySelectorAll('body *')].filter(one => {"
            " const box = one.getBoundingClientRect();"
            " return box.width > 1 && box.right > innerWidth + 1 && box.left >= 0"
            " && !one.closest('.scroll, .skip, .unseen'); }).map(one => one.outerHTML)"
        )
        assert outside == []


def test_words_in_figures_can_be_read_on_a_phone(chromium, address):
    with opened(chromium, address, 360, device_scale_factor=2) as page:
        sizes = page.evaluate(
            "() => [...document.querySelectorAll('svg text')].filter(one => one.getBBox().width)"
            ".filter(one => one.getClientRects().length && !one.querySelector('tspan'))"
            ".map(one => parseFloat(getComputedStyle(one).fontSize)"
            " * one.ownerSVGElement.getScreenCTM().a)"
        )
        assert len(sizes) > 50
        assert min(sizes) >= LEAST_TEXT
        shown = page.locator("figure svg").evaluate_all(
            "all => all.filter(one => one.getClientRects().length)"
            ".map(one => one.parentNode.className)"
        )
        assert set(shown) == {"narrow"}


CONTRASTS = """() => {
  const parsed = (text) => {
    const [r, g, b, a] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a === undefined ? 1 : a];
  };
  const under = (one) => {
    for (; one; one = one.parentElement) {
      const paper = parsed(getComputedStyle(one).backgroundColor);
      if (paper[3] === 1) return paper;
    }
    return [255, 255, 255, 1];
  };
  const light = (colour) => colour.slice(0, 3).map((value) => value / 255)
    .map((s) => s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const one = node.parentElement;
    if (!node.data.trim() || !one.getClientRects().length || one.closest("script")) continue;
    const style = getComputedStyle(one);
    const ink = parsed(one.closest("svg") ? style.fill : style.color);
    const pair = [light(ink), light(under(one))].sort((a, b) => a - b);
    found.push([(pair[1] + 0.05) / (pair[0] + 0.05), node.data.trim()]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_has_contrast_enough(chromium, address, scheme):
    with opened(chromium, address, color_scheme=scheme) as page:
        found = page.evaluate(CONTRASTS)
        assert len(found) > 300
        assert [one for one in found if one[0] < 4.5] == []


def test_the_dark_page_is_dark_and_so_are_its_figures(chromium, address):
    looks = {}
    for scheme in ("light", "dark"):
        with opened(chromium, address, color_scheme=scheme) as page:
            pixels = page.locator("#figure-curves").screenshot()
            looks[scheme] = brightness(pixels)
    assert looks["light"] > 0.8
    assert looks["dark"] < 0.25


def brightness(png):
    """Return the mean brightness of an image, in [0, 1]."""
    import io

    from PIL import Image

    return float(np.asarray(Image.open(io.BytesIO(png)).convert("L")).mean() / 255)


def test_the_first_tab_leads_past_the_contents(chromium, address):
    with opened(chromium, address) as page:
        page.keyboard.press("Tab")
        skip = page.locator(".skip")
        assert skip.evaluate("one => one === document.activeElement")
        assert skip.bounding_box()["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def test_boxes_that_scroll_are_reached_by_tab(chromium, address):
    with opened(chromium, address, 360) as page:
        box = page.locator(".scroll").first
        box.focus()
        assert box.evaluate("one => one === document.activeElement")
        page.evaluate(
            "() => { const box = document.querySelector('.scroll'); window.scrolled ="
            " new Promise(done => box.addEventListener('scroll', done, { once: true })); }"
        )
        page.keyboard.press("ArrowRight")
        page.evaluate("() => window.scrolled")
        assert box.evaluate("one => one.scrollLeft") > 0


def test_a_screen_reader_hears_tables_figures_and_headings(chromium, address):
    with opened(chromium, address) as page:
        assert page.get_by_role("heading", level=1).text_content() == (
            "Which network to fine-tune on digits"
        )
        assert page.get_by_role("navigation", name="Contents").count() == 1
        assert page.get_by_role("rowheader", name="VGG16").count() >= 1
        (ranking,) = page.get_by_role("table", name="digits, ranked by combined").all()
        assert ranking.get_by_role("columnheader", name="P(best)", exact=True).count() == 1
        curves = page.get_by_role("img", name="Learning curves and what is predicted of them")
        assert curves.count() == 1  # that of the other width is hidden from it, too
        assert curves.locator("desc").text_content().startswith("1 ")


def test_it_prints_in_ink_with_every_column(chromium, address):
    with opened(chromium, address, color_scheme="dark") as page:
        page.emulate_media(media="print")
        assert not page.locator("nav").is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        for width, box in ((688, "section:not(#ranking) .scroll"), (1016, "#ranking .scroll")):
            page.set_viewport_size({"width": width, "height": 700})  # A4, and across, in margins
            cut = page.locator(box).evaluate_all(
                "all => all.filter(one => one.scrollWidth > one.clientWidth + 1)"
                ".map(one => one.textContent)"
            )
            assert cut == []
        heights = page.locator("#table-ranking tbody tr").evaluate_all(
            "rows => rows.map(row => row.clientHeight)"
        )
        assert max(heights) < 150  # a name goes into a few lines, not into a column of letters
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
