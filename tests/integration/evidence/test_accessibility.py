"""The pages by axe-core: whoever cannot see colours, uses a phone, a keyboard or paper can read them."""

import json

import pytest
import staged
from browser import PAPER, PHONE, View

VIEWS = {
    "light": View(),
    "dark": View(scheme="dark"),
    "phone": View(width=PHONE),
    "print": View(width=PAPER, media="print"),
}
RUN = """axe.run(document, {resultTypes: ["violations"], preload: false}).then(found => found.violations.map(rule =>
  ({id: rule.id, impact: rule.impact, help: rule.help, at: rule.nodes.slice(0, 5).map(node => node.target.join(" "))})
))"""
OPENED = 'document.querySelectorAll("details").forEach(each => each.open = true)'
"""What is folded away is read as well."""


def violations(page, axe, view):
    page.show(view)
    page.evaluate(OPENED)
    page.evaluate(f"{axe}; null")
    return page.evaluate(RUN)


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    pages = {}

    def open_(name):
        if name not in pages:
            pages[name] = browser.open(staged.write(tmp_path_factory.mktemp("page"), name))
        return pages[name]

    return open_


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", staged.PAGES)
def test_nothing_stands_in_a_readers_way(opened, axe, name, view):
    found = violations(opened(name), axe, VIEWS[view])

    assert found == [], json.dumps(found, indent=1)


def planted(browser, place, markup):
    good = staged.write(place, staged.PASSED).read_text()
    bad = place / "bad.html"
    bad.write_text(good.replace("</main>", f"{markup}</main>"))
    return browser.open(bad)


def grave(page, axe, view):
    return {each["id"] for each in violations(page, axe, view) if each["impact"] in ("serious", "critical")}


@pytest.mark.parametrize(
    ("markup", "rule"),
    [
        ('<p style="color:#bbb;background:#ccc">Pale</p>', "color-contrast"),
        ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', "image-alt"),
        ('<details><summary>Folded</summary><a href="#x"></a></details>', "link-name"),
    ],
)
def test_a_planted_fault_is_noticed(browser, axe, tmp_path, markup, rule):
    page = planted(browser, tmp_path, markup)

    assert all(rule in grave(page, axe, view) for view in VIEWS.values())


@pytest.mark.parametrize(
    ("query", "name"),
    [("print", "print"), ("(prefers-color-scheme: dark)", "dark"), ("screen and (max-width: 390px)", "phone")],
)
def test_a_fault_in_one_view_only_is_noticed_in_that_view(browser, axe, tmp_path, query, name):
    style = f"<style>@media {query} {{ .pale {{ color: #bbb; background: #ccc }} }}</style>"
    page = planted(browser, tmp_path, f'{style}<p class="pale">Pale</p>')

    assert [each for each in VIEWS if grave(page, axe, VIEWS[each])] == [name]
