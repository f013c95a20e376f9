"""The page of `dlcli inspect-layers`, opened in a browser: no error, no request, nothing too wide, nothing faint."""

import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from dlcli.inspection import page
from dlcli.inspection.page_levels import step, view
from dlcli.inspection.page_wording import amount, fraction, number, shape
from tests import browser, inspected

DOCUMENTS = {name: getattr(inspected, name) for name in ("cnn", "fifty", "beside", "rnn", "static", "hostile")}

SIZES = [(400, False), (400, True), (1280, False), (1280, True)]

OPEN_ALL = "document.querySelectorAll('details').forEach(details => details.open = true)"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    path = browser.found()
    if path is None:
        pytest.skip(f"none of {', '.join(browser.NAMES)} is installed")
    opened = browser.Browser(path, str(tmp_path_factory.mktemp("profile")))
    yield opened
    opened.close()


@pytest.fixture
def visit(chromium, tmp_path):
    """visit(html, width, dark, ask) -> Seen."""

    def visited(html: str, *, width: int = 400, dark: bool = False, ask: str = "null") -> browser.Seen:
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        return chromium.see(file.as_uri(), width=width, dark=dark, ask=ask)

    return visited


@pytest.mark.parametrize(("width", "dark"), SIZES)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_page_opens_without_error_request_or_overflow(visit, name, width, dark):
    """With every card open; texts have a contrast of 4.5, on a phone and on a screen, light and dark."""
    seen = visit(page.write(DOCUMENTS[name]()), width=width, dark=dark, ask=OPEN_ALL)
    assert seen.errors == []
    assert seen.requests == []
    assert not seen.overflows, f"{seen.scroll} px wide in {seen.inner}"
    assert seen.faint == []


@pytest.mark.parametrize("name", ["learned", "trained", "baseline"])
@pytest.mark.parametrize("dark", [False, True])
def test_each_view_of_the_map_is_shown_alone_and_can_be_read(visit, name, dark):
    """The switch is a radio button and a style: pressed, it shows its table and hides the others."""
    ask = f"""document.querySelector('label[for=map-{name}]').click();
        [...document.querySelectorAll('.view')].filter(view => view.checkVisibility()).map(view => view.className)"""
    seen = visit(page.write(inspected.cnn()), dark=dark, ask=ask)
    assert seen.answer == [f"view view-{name}"]
    assert seen.faint == []
    assert not seen.overflows


BROKEN = {
    "request": ('<img src="http://127.0.0.1:9/a.png">', "requests"),
    "console": ("<script>console.error('wrong')</script>", "errors"),
    "exception": ("<script>throw new Error('wrong')</script>", "errors"),
    "overflow": ('<div style="width: 2000px">wide</div>', "overflows"),
    "faint": ('<p style="color: #999; background: #fff">faint</p>', "faint"),
}


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("fault", BROKEN)
def test_the_checks_of_this_file_find_what_they_look_for(visit, fault, width):
    """A page with one fault fails the check of that fault, and passes without it."""
    html, check = BROKEN[fault]
    document = '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><p>fine</p>{}'
    assert getattr(visit(document.format(html), width=width), check)
    assert not getattr(visit(document.format(""), width=width), check)


def test_light_and_dark_are_two_pages(visit):
    """The colours follow the wish of the reader's system."""
    ask = "getComputedStyle(document.body).backgroundColor"
    grounds = [visit(page.write(inspected.rnn()), dark=dark, ask=ask).answer for dark in (False, True)]
    assert grounds == ["rgb(255, 255, 255)", "rgb(16, 20, 26)"]


def test_a_link_to_a_layer_opens_its_card(visit):
    """Names in the map and in the table lead to the card, folded or not."""
    ask = """(async () => { document.querySelector('.wide tbody tr:nth-child(3) th a').click();
        await new Promise(done => setTimeout(done, 200));
        return [...document.querySelectorAll('.card')].map(card => card.open) })()"""
    assert visit(page.write(inspected.cnn()), ask=ask).answer == [False, False, True, False, False, False]


def test_a_name_cannot_become_html(visit):
    """Script and picture in every text of the document stay text, in the page and in the JSON within it."""
    html = page.write(inspected.hostile())
    ask = "[document.title, document.images.length, document.scripts.length, JSON.parse(document.scripts[0].text).layers[0].name]"
    title, images, scripts, name = visit(html, ask=ask).answer
    assert title.endswith("– layers")
    assert (images, scripts) == (3, 1)
    assert name == f"stage1_block0_conv1{inspected.HOSTILE}"
    # without the policy that would stop it, as a browser that does not know it would read the page
    seen = visit(re.sub(r"<meta http-equiv=[^>]+>", "", html), ask=ask)
    assert seen.answer == [title, images, scripts, name]
    assert (seen.errors, seen.requests) == ([], [])


def test_the_policy_stops_what_would_slip_through(visit):
    """Should a text ever be written raw, nothing of it runs and nothing is fetched."""
    slipped = "<main><script>document.title='run'</script><img src='http://127.0.0.1:9/a'><p style='color:red'>"
    seen = visit(page.write(inspected.rnn()).replace("<main", f"{slipped}<main", 1), ask="document.title")
    assert seen.answer == "gru on a series – layers"
    assert seen.requests == []
    assert len(seen.errors) >= 3


class _Text(HTMLParser):
    """All text outside of style and script, and the ids."""

    def __init__(self, html: str):
        super().__init__()
        self.inside, self.parts, self.ids = None, [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside not in ("style", "script"):
            self.parts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.parts)


def test_everything_of_the_document_is_in_the_page():
    """Names, verdict, gates, numbers of tables, formulas and versions."""
    document = inspected.cnn() | {"warnings": ["Unit 7 of the stem is dead."]}
    text = _Text(page.write(document)).text
    for layer in document["layers"]:
        assert text.count(layer["name"]) >= 4  # map, table, card, similarity
        for title in layer["own"]:
            assert title in text
    assert document["verdict"] in text
    assert document["hierarchy"]["said"] in text
    assert "edge → texture → junction → shape → relation → object" in text
    assert all(gate["message"] in text for gate in document["gates"])
    assert all(method["formula"] in text and method["source"] in text for method in document["methods"])
    assert all(version in text for version in document["versions"].values())
    for said in ("78,042", "12.3 M", "32 × 32 × 3", "0.41 (0.10)", "1 of 16", "2.1", "1.8–2.4", "1.00 → 0.33"):
        assert said in text
    assert "Check failed: leak (texture)" in text
    assert "Unit 7 of the stem is dead." in text


def test_checks_that_fail_alike_are_one_alert_and_all_in_the_list():
    document = inspected.cnn()
    document["gates"] += [
        {"name": "distance", "passed": False, "subject": name, "message": f"{name} stimuli lie far."}
        for name in ("edge", "shape", "object")
    ]
    html = page.write(document)
    assert html.count('class="alert"') == 2
    text = _Text(html).text
    assert "Check failed: distance (edge). edge stimuli lie far. The same holds for shape, object." in text
    assert all(f"{name} stimuli lie far." in text for name in ("edge", "shape", "object"))


def test_two_models_side_by_side_are_drawn_layer_by_layer():
    """A square per pair of layers, in rows of those of the first; the colours are the numbers of the document."""
    document = inspected.beside()
    html = page.write(document)
    section = html[html.index('id="compare"') : html.index('id="layers"')]
    drawn = re.findall(
        r'<rect x="[\d.]+" y="([\d.]+)" width="\d+" height="10" class="k(\d+)"><title>(\d+) and (\d+)(?: to (\d+))?:',
        section,
    )
    shown = np.full((6, 30), -1)
    for _, colour, row, first, last in drawn:
        shown[int(row) - 1, int(first) - 1 : int(last or first)] = int(colour)
    assert (shown == np.round(10 * np.array(document["compare"]["cka"]["matrix"]))).all()
    heights = {int(row): float(y) for y, _, row, _, _ in drawn}
    assert np.diff([heights[row] for row in range(1, 7)]) == pytest.approx(10)
    assert "runs/another" in _Text(section).text


def test_what_was_not_measured_is_absent_or_said():
    """Structure alone: no map, no similarity, no pictures; the missing columns are named."""
    parsed = _Text(page.write(inspected.static()))
    assert not {"map", "similarity", "pictures", "tables"} & set(parsed.ids)
    assert {"layers", "cards", "methods"} <= set(parsed.ids)
    assert (
        "Not measured in this run: levels, probe of your labels, units, geometry, similarity of layers." in parsed.text
    )
    assert "Not measured for any layer: new level, probe (control)" in parsed.text
    assert "selectivity0" not in parsed.text


def test_a_document_with_nothing_in_it_gives_a_page(visit):
    """No key is needed, and null stands for absent in every place."""
    for document in ({}, dict.fromkeys(inspected.cnn()), {"layers": [{}], "cka": {}, "hierarchy": {}, "tables": [{}], "pictures": [{}]}):  # fmt: skip
        seen = visit(page.write(document))
        assert (seen.errors, seen.overflows) == ([], False)


def test_global_receptive_field_differs_from_none_measured():
    """null is the whole input; no key is not measured."""
    layers = [{"name": "global", "receptive_field": None}, {"name": "unknown"}]
    rows = re.findall(r"<tr>(?:(?!</tr>).)*</tr>", page.write({"layers": layers}))
    assert [re.findall(r"<td>(.*?)</td>", row) for row in rows[1:]] == [["all"], ["–"]]


def test_pictures_that_do_not_fit_are_left_out_and_said_so():
    """The page stays within its limit; pictures come in as long as there is room; none is lost when there is room."""
    document = inspected.cnn()
    whole = page.write(document)
    assert whole.count("<img") == 3
    assert "Left out" not in whole
    limit = len(whole.encode()) - 1
    smaller = page.write(document, limit=limit)
    assert len(smaller.encode()) <= limit
    assert 1 <= smaller.count("<img") < 3
    assert smaller.count("Left out to keep this page small") == 3 - smaller.count("<img")


def test_large_pictures_stay_within_five_megabytes():
    """Of four pictures of 1.4 MB in base64 three fit."""
    document = inspected.cnn()
    document["layers"][1]["pictures"] = [inspected.picture(f"map {i}", width=600, height=600, seed=i) for i in range(4)]
    html = page.write(document)
    assert 4_000_000 < len(html.encode()) <= page.LIMIT == 5_000_000
    assert html.count("Left out to keep this page small") == 1


@pytest.mark.parametrize(
    ("limit", "gone", "kept"),
    [(500_000, [], ["cards", "similarity", "map"]), (300_000, ["cards"], ["map", "layers"]), (20_000, ["cards", "similarity", "map", "layers"], [])],
)  # fmt: skip
def test_a_page_that_is_too_large_without_pictures_loses_parts_in_order(limit, gone, kept):
    """The embedded document first, then cards, similarity, map, layers; each says so."""
    document = inspected.fifty()
    html = page.write(document, limit=limit)
    assert len(html.encode()) <= limit
    assert "too large to be in it" in html
    assert 'id="document"' not in html
    for part in gone:
        assert re.search(f'<section id="{part}"><h2>[^<]+</h2><p class="note">{page.LEFT_OUT}', html)
    for part in kept:
        assert not re.search(f'<section id="{part}"><h2>[^<]+</h2><p class="note">{page.LEFT_OUT}', html)


def test_matrices_and_tables_of_any_length_stay_small():
    """Of 300 layers every third is drawn; of 10,000 rows the first 500; both say so."""
    names = [f"layer_{i}" for i in range(300)]
    matrix = [[abs(i - j) % 7 / 7 for j in range(300)] for i in range(300)]
    table = {"title": "long", "columns": ["a"], "rows": [[i] for i in range(10_000)]}
    html = page.write({"cka": {"layers": names, "matrix": matrix}, "tables": [table]})
    assert "9,500 more rows" in html
    assert "Drawn: one layer in 3." in html
    assert html.count("<rect") <= 100 * 100


def test_the_document_in_the_page_is_the_document():
    """Other programs read it; pictures are not there twice, NaN is null."""
    document = inspected.cnn() | {"samples": math.nan}
    found = json.loads(
        re.search(r'<script type="application/json" id="document">(.*?)</script>', page.write(document)).group(1)
    )
    assert found["samples"] is None
    assert found["layers"][3]["levels"] == document["layers"][3]["levels"]
    assert "png" not in found["pictures"][0]


def test_baseline_is_the_best_of_what_needs_no_training():
    """b = max(input, untrained, control, 0); none where nothing was measured."""
    assert view({"untrained": 0.32, "input": 0.4, "control": -0.1}, "baseline") == 0.4
    assert view({"untrained": -0.32, "input": None}, "baseline") == 0
    assert view({"trained": 0.5}, "baseline") is None


def test_emergence_is_marked_at_its_layer_and_over_its_interval():
    """junction: 3.4 (3.1 to 3.7) marks layer 3 and bars layers 3 and 4; colour, which does not emerge, none."""
    html = page.write(inspected.cnn())
    table = re.search(r'<table class="heat">.*?</table>', html, re.S).group(0)
    rows = re.findall(r"<tr>.*?</tr>", table, re.S)[1:]
    cells = [re.findall(r"<td.*?</td>", row, re.S) for row in rows]
    junction = [row[inspected.LEVELS.index("junction")] for row in cells]
    assert ["◆" in cell for cell in junction] == [False, False, True, False, False, False]
    assert ["near" in cell for cell in junction] == [False, False, True, True, False, False]
    assert not any("◆" in row[0] or "near" in row[0] for row in cells)


def test_numbers_are_written_for_people():
    """Sizes in k, M, G; shapes without the batch; no minus on a zero; values outside [0, 1] have an end colour."""
    assert [amount(value) for value in (12345678, 999_700, 950, 0, None)] == ["12.3 M", "1 M", "950", "0", None]
    assert [shape(value) for value in ([None, 32, 32, 3], [None, None, 8], [2, 3], [None], [[None, 4], [None, 2]], {"x": [None, 4]})] == [
        "32 × 32 × 3", "any × 8", "2 × 3", "one number", "4; 2", "x: 4",
    ]  # fmt: skip
    assert [fraction(value) for value in (-0.001, 0.4417, math.nan)] == ["0.00", "0.44", None]
    assert [number(value) for value in (5.0, 0.97312, "a", "", None, math.inf, True, 1234)] == [
        "5", "0.973", "a", None, None, None, "yes", "1,234",
    ]  # fmt: skip
    assert [step(value) for value in (-0.3, 0.04, 0.5, 1.7, None)] == ["k0", "k0", "k5", "k10", "none"]
