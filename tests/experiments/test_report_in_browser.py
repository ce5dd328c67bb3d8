import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import PATH, Browser
from report_runs import many_runs, real_run, small_log

from experiments.reporting import read_runs, render

needs_browser = pytest.mark.skipif(PATH is None, reason="there is no Chromium or Chrome on this machine")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    real_run(folder / "kept", small_log(folder))
    many_runs(folder / "many", folder / "kept", 25, 2)
    file = folder / "report.html"
    file.write_text(render(read_runs([folder / "many"]), "A & B <script>alert(1)</script>"))
    return file


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


@needs_browser
def test_the_browser_of_these_tests_sees_requests_and_errors(browser: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="http://127.0.0.1:9/x.png"><script>throw new Error("on purpose")</script>')
    browser.open(bad)
    assert browser.requests == [bad.as_uri(), "http://127.0.0.1:9/x.png"]
    assert any("on purpose" in error for error in browser.errors)


@needs_browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_asks_for_nothing_else_has_no_script_error_and_fits(browser: Browser, page: Path, width, dark) -> None:
    browser.open(page, width, dark)
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.run(
        "document.querySelectorAll('th:last-child').forEach((one) => one.click()); document.querySelectorAll('svg *').forEach("
        "(one) => one.dispatchEvent(new PointerEvent('pointerover', {bubbles: true})))"
    )
    browser.run(
        "document.querySelector('svg [data-line]').dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))"
    )
    assert "validation/nll" in browser.run("document.querySelector('.tip').textContent")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.requests == [page.as_uri()]
    assert browser.errors == []
    light = browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light is not dark


RANKING = "Array.from(document.querySelectorAll('.ranking tbody tr'))"


@needs_browser
def test_the_chosen_metric_orders_the_table_and_colours_the_lines(browser: Browser, page: Path) -> None:
    browser.open(page)
    shown = f"{RANKING}.filter((row) => !row.hidden).map((row) => [row.cells[0].textContent, parseFloat(row.cells[2].textContent)])"
    before = browser.run(shown)
    assert len(before) == 20
    assert [value for _, value in before] == sorted(value for _, value in before)
    says = browser.run("document.querySelector('.best .says').textContent")
    best = "Array.from(document.querySelectorAll('svg.wide [data-line]')).pop().dataset.line"
    first = browser.run(best)
    browser.run(
        "{ const one = document.querySelector('select.metric'); one.value = 'auroc'; "
        "one.dispatchEvent(new Event('change', {bubbles: true})); }"
    )
    after = browser.run("document.querySelector('.best .says').textContent")
    assert "auroc" in after
    assert after != says
    assert browser.run("document.querySelector('.by').textContent") == "auroc"
    assert browser.run(best) != first, "the best line lies on top"
    assert browser.run("document.querySelectorAll('svg.wide [data-line]')[24].style.stroke") == "var(--q6)"
    assert browser.run(shown)[0][0].endswith(": c017")
    browser.run("document.querySelector('button.all').click()")
    assert len(browser.run(shown)) == 25
    assert browser.errors == []


@needs_browser
def test_a_click_on_a_heading_orders_numbers_as_numbers(browser: Browser, page: Path) -> None:
    browser.open(page)
    head = "Array.from(document.querySelectorAll('.ranking th')).find((one) => one.textContent === 'gnn.width')"
    widths = f"{RANKING}.map((row) => Number(row.cells[{head}.cellIndex].textContent))"
    browser.run(f"{head}.click()")
    rising = browser.run(widths)
    assert rising == sorted(rising)
    assert len(set(rising)) > 2
    browser.run(f"{head}.click()")
    assert browser.run(widths) == sorted(rising, reverse=True)
    assert browser.run(f"{RANKING}.filter((row) => !row.hidden).length") == 20


@needs_browser
def test_the_data_of_a_figure_are_saved_as_csv(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run(
        "{ window.saved = []; const real = URL.createObjectURL; URL.createObjectURL = (blob) => { window.saved.push(blob); "
        "return real(blob); }; HTMLAnchorElement.prototype.click = function () { window.named = this.download; }; }"
    )
    browser.run("document.querySelector('.best button.csv').click()")
    text = browser.run("window.saved[0].text()")
    lines = text.strip().split("\r\n")
    assert browser.run("window.named") == "best_configurations.csv"
    assert lines[0].startswith("configuration,run,seed,gnn.alpha,")
    assert len(lines) == 1 + 50
    assert len({line.count(",") for line in lines if '"' not in line}) == 1


class Loads(HTMLParser):
    """Every address that a browser would load, every id, and tags that were opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"):
                self.loaded.append(f"{tag} {name} {value}")
            if name == "href" and not str(value).startswith("#"):
                self.loaded.append(f"{tag} {name} {value}")
            if name == "style" and "url(" in str(value):
                self.loaded.append(f"{tag} {name} {value}")


def test_nothing_in_the_page_names_what_is_elsewhere(page: Path) -> None:
    text, found = page.read_text(), Loads()
    found.feed(text)
    assert found.loaded == []
    assert re.findall(r"https?://[^\s\"'<]*", text) == []
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert 'http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;' in text
    assert "<script>alert(1)</script>" not in text
    assert "A &amp; B &lt;script&gt;" in text
