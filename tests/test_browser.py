"""The page in a real Chromium: every view drawn and used as a person would, by mouse and by keys."""

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest
from tinygrad import Tensor

from explorer.config import make_config
from explorer.judging import study
from explorer.judging.runs import Runs
from explorer.models import layers
from explorer.models.activations import ACTIVATIONS
from explorer.record import DataUsed
from explorer.running import answers, following, nets
from explorer.running.ledger import Ledger
from explorer.running.runner import Runner
from explorer.running.store import Store
from explorer.telling.page import html
from explorer.telling.page.nets import facts, layer_facts, weights
from explorer.telling.page.study import compared
from tests.conftest import PROJECT
from tests.records import LR, PAIR, notebook, runs

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: requirements-dev.txt")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium: apt-get install chromium")

EVIL = "<script>document.title = 'evil'</script><img src=x onerror=alert(1)>"
SOON = 60_000  # milliseconds that a busy machine may take
PICTURES = np.random.default_rng(5).integers(0, 256, (3, 28, 28)).astype(np.uint8)


class Page:
    """The command `page` as a person starts it."""

    def __init__(self, results, port=0):
        words = ["page", "--port", port, "--results", results, "--device", "CPU"]
        self.process = subprocess.Popen(
            [sys.executable, str(PROJECT / "mnist_explorer.py"), *map(str, words)], stdout=subprocess.PIPE, text=True
        )
        self.link = self.process.stdout.readline().strip()
        self.port = int(re.search(r":(\d+)/", self.link)[1])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, digits):
    """A study of two questions, one with a label that is markup; two kept nets of the digits."""
    folder = tmp_path_factory.mktemp("study")
    same = {"data": DataUsed("digits", digits.digest)}  # as runs that are trained here have
    told = {f"lr {lr:g}": {"lr": lr} for lr in (0.0003, 0.001, 0.003, 0.01)}
    records = [
        one
        for index, values in enumerate(told.values())
        for one in runs(values, [0.9, 0.91, 0.92 + index / 100], **same)
    ]
    notebook(folder, LR, records)
    cells = [{"lr": lr, "batch_size": size} for lr in (0.001, 0.003) for size in (16, 32)]
    pairs = [one for index, cell in enumerate(cells) for one in runs(cell, [0.8, 0.81, 0.82 + index / 100], **same)]
    notebook(folder, PAIR, pairs, name="pair")
    text = f'title = "{EVIL}"\nbase.steps = 30\npoints = [{{ label = "{EVIL[:50]}", lr = 0.001 }}]'
    notebook(folder, text, [], name="evil")
    return folder


@pytest.fixture(scope="module")
def trained(folder, digits):
    """Two kept nets that know the digits; they are asked for before the first page is opened."""
    runner = Runner(digits, keep=True)
    fields = {"steps": 150, "eval_every": 75, "lr": 0.01, "batch_size": 64}
    kept = []
    for model in (
        {"model": "mlp", "units": [48]},
        {"model": "cnn", "filters": [4, 4, 6, 6], "kernel_size": [2, 2]},
    ):
        net = runner.run(make_config({"dataset": "digits", **model, **fields})).net
        assert net.record.test_accuracy > 0.8
        nets.save(folder / "results", net)
        kept.append(net)
    return kept


@pytest.fixture(scope="module")
def served(folder, trained):
    page = Page(folder / "results")
    yield page
    page.end()


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """open(link, **size): a fresh tab; whatever goes wrong in it fails the test."""
    problems, contexts = [], []

    def open_tab(link, ready="main section", **viewport):
        context = chromium.new_context(viewport={"width": 1200, "height": 900, **viewport}, reduced_motion="reduce")
        context.set_default_timeout(SOON)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda told: problems.append(told.text) if told.type == "error" else None)
        page.on("dialog", lambda dialog: problems.append(f"a dialog: {dialog.message}"))
        page.goto(link)
        page.wait_for_selector(ready)
        return page

    open_tab.problems = problems
    yield open_tab
    for context in contexts:
        context.close()
    assert not problems


def until(page, expression):
    """Waits until it holds. (Playwright's own way is to evaluate text in the page, which its policy forbids.)"""
    over = time.monotonic() + SOON / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < over, expression
        page.wait_for_timeout(50)


def counted(page) -> int:
    return int(re.match(r"\d+", page.inner_text("#counted"))[0])


def test_explore_draws_every_configuration_and_brushing_by_mouse_and_by_keys_narrows_table_and_address(served, tab):
    page = tab(served.link + "#explore")
    page.wait_for_selector(".parallel[data-drawn]")
    every = counted(page)
    assert every == page.locator("tbody tr[data-id]").count() > 5
    inked = """() => { const c = document.querySelectorAll('.parallel canvas')[2];
        return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((value) => value > 0); }"""
    assert page.evaluate(inked)

    strip = page.locator(".strip").last.bounding_box()  # the last axis is the error: brush its lower half, the better
    x = strip["x"] + strip["width"] / 2
    page.mouse.move(x, strip["y"] + strip["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(x, strip["y"] + strip["height"] - 4, steps=5)
    page.mouse.up()
    until(page, f"!document.querySelector('#counted').textContent.startsWith('{every} ')")
    brushed = counted(page)
    until(page, f"document.querySelectorAll('tbody tr[data-id]').length === {brushed}")
    assert 0 < brushed < every and "brush=validation" in page.url

    page.reload()
    page.wait_for_selector(".parallel[data-drawn]")
    assert counted(page) == brushed
    page.focus("[data-axis=validation]")
    page.keyboard.press("Delete")
    until(page, f"document.querySelector('#counted').textContent.startsWith('{every} ')")
    page.focus("[data-axis=lr]")
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    until(page, "location.hash.includes('brush=lr')")
    assert counted(page) < every


def test_the_table_is_sorted_by_its_headings_and_filtered_by_words(served, tab):
    page = tab(served.link + "#explore?filter=lr%3D0.003")
    values = "[...document.querySelectorAll('tbody tr[data-id]')].map((row) => parseFloat(row.cells[3].textContent))"
    falling = page.evaluate(values)
    assert len(falling) == 3 and falling == sorted(falling, reverse=True)
    page.click("[data-sort=validation]")
    assert page.evaluate(values) == sorted(falling)
    assert page.get_attribute("th:has([data-sort=validation])", "aria-sort") == "ascending"
    page.fill("#filter", "nonsense>1")
    assert "no field or figure nonsense" in page.inner_text("#filter-wrong")


def test_a_cell_of_the_map_shows_the_curves_of_its_seeds(served, tab):
    page = tab(served.link + "#explore?ask=pair")
    assert page.locator("table.map td button").count() == 4
    page.click("table.map td button >> nth=2")
    page.wait_for_selector("#question .seeds .u-over")
    assert "cell=" in page.url and "every seed" in page.inner_text("#question .seeds h3")


def test_two_pinned_configurations_have_what_differs_and_the_judges_sentence(served, folder, tab):
    page = tab(served.link + "#explore?a=&b=&filter=-")
    page.fill("#filter", "lr<1")
    rows = page.locator("tbody tr[data-id]")
    ids = [rows.nth(index).get_attribute("data-id") for index in (0, 3)]
    rows.nth(0).locator("button.pin").nth(0).click()
    rows.nth(3).locator("button.pin").nth(1).click()
    page.wait_for_selector(".verdict .sentence")
    store = Store(folder / "results", read_only=True)
    measured = study.of_requests(Runs(store.records()), store.requests())
    by_id = {record.id: one for one in measured.runs.configurations for record in one.records.values()}
    expected = compared(by_id[ids[0]], by_id[ids[1]], measured)
    assert page.inner_text(".verdict .sentence") == expected.sentence
    assert page.locator(".differs tbody tr").count() == len(expected.differs) > 0
    assert page.inner_text("#command") == expected.command


def test_a_script_in_a_label_stays_text(served, tab):
    page = tab(served.link + "#explore?ask=evil")
    page.wait_for_selector("#question .response")
    assert EVIL in page.inner_text("#ask")
    assert page.title() == "Explore · MNIST explorer"
    assert page.locator("#view script, #view img").count() == 0


def test_the_browsers_nets_say_what_tinygrad_says_in_every_layer_and_activation(served, trained, tab):
    page = tab(served.link + "#explore")
    random = np.random.default_rng(7)
    first, second, third, *rest = ACTIVATIONS
    net = [layers.Conv2d(1, 3, 4, first), layers.Conv2d(3, 6, 3, second), layers.BatchNorm(6, pool=True),
           layers.max_pool, layers.Conv2d(6, 5, 2, third), layers.flatten, layers.Linear(5 * 4 * 4, 9),
           layers.BatchNorm(9), layers.Dropout(8)]  # fmt: skip
    net += [layers.Activation(rest[0]), *(layers.Linear(9, 9, name) for name in rest), layers.Linear(9, 10)]
    numbers = []
    for tensor, values in (pair for layer in net if hasattr(layer, "initial") for pair in layer.initial(random)):
        values = values + random.uniform(0, 0.5, values.shape).astype(np.float32)
        tensor.assign(Tensor(values)).realize()
        numbers.append(values.reshape(-1))
    x = Tensor(PICTURES.astype(np.float32)[:, None]) * (2 / 255) - 1
    expected = x.sequential(net).numpy()
    told = {"height": 28, "width": 28, "multiplier": 2 / 255, "offset": -1.0}
    told["layers"] = msgspec.to_builtins(layer_facts(net)[0])
    agree(page, told, np.concatenate(numbers).astype("<f4").tobytes(), expected)
    for one in trained:
        told = msgspec.to_builtins(facts(nets.Kept(None, one.record, one.about)))
        agree(page, told, weights(one), answers.logits(one, PICTURES))


def agree(page, told, numbers, expected):
    ask = """({facts, weights, images}) => {
        const bytes = Uint8Array.from(atob(weights), (letter) => letter.charCodeAt(0));
        const ready = net.ready(facts, bytes.buffer);
        return images.map((pixels) => Array.from(net.ask(ready, pixels).logits)); }"""
    images = PICTURES.reshape(len(PICTURES), -1).tolist()
    found = page.evaluate(ask, {"facts": told, "weights": base64.b64encode(numbers).decode(), "images": images})
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_digit_drawn_by_mouse_is_recognised_by_both_nets_and_stays_in_the_address(served, tab):
    page = tab(served.link + "#draw", ready=".bars")
    until(page, "document.querySelectorAll('[data-ms]').length === 2")
    box = page.locator("#paper").bounding_box()
    ring = [(0.5 + 0.2 * np.sin(turn), 0.5 - 0.36 * np.cos(turn)) for turn in np.linspace(0, 2 * np.pi, 20)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in ring]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    said = "[...document.querySelectorAll('p.answer')].map((answer) => answer.dataset.answer)"
    until(page, f"({said}).join() === '0,0'")
    until(page, "location.hash.includes('picture=')")
    until(page, "document.querySelectorAll('#inside canvas').length > 8")
    before = page.evaluate("document.querySelector('#seen').toDataURL()")
    page.fill("#change-rotate", "90")
    until(page, f"document.querySelector('#seen').toDataURL() !== {before!r}")
    page.fill("#change-rotate", "0")
    until(page, "!location.hash.includes('rotate=90')")
    page.reload()
    until(page, f"({said}).join() === '0,0'")


def test_a_run_trained_from_play_is_in_the_ledger_and_a_second_tab_saw_it(served, folder, tab):
    knobs = "dataset=digits&units=24&batch_size=32&steps=40&eval_every=10&lr=0.01"
    page = tab(f"{served.link}#play?{knobs}", ready="#train:enabled")
    other = tab(f"{served.link}#play?{knobs}", ready="#train:enabled")
    page.select_option("#knob-activation", "relu")
    until(page, "document.querySelector('#command').textContent.includes('--activation relu')")
    command = page.inner_text("#command")
    page.click("#train")
    page.wait_for_selector("#last tr[data-state=ok]")
    id = page.get_attribute("#last tr[data-state=ok]", "data-id")
    (found,) = [record for record in Ledger(folder / "results", read_only=True).records() if record.id == id]
    assert found.config["activation"] == "relu" and found.config["lr"] == 0.01
    assert "--lr 0.01" in command and "--steps 40" in command
    other.wait_for_selector(f"#last tr[data-id='{id}']")
    other.reload()
    other.wait_for_selector(f"#last tr[data-id='{id}']")


def test_a_net_is_kept_from_play_and_drawn_for_and_a_link_without_the_token_keeps_none(served, folder, tab):
    knobs = "dataset=digits&units=24&batch_size=32&steps=30&lr=0.02"
    page = tab(f"{served.link}#play?{knobs}", ready="#train:enabled")
    page.click("#train")
    page.wait_for_selector("#last tr[data-state=ok] button.keep")
    id = page.get_attribute("#last tr[data-state=ok]", "data-id")
    path = nets.path_of(folder / "results", id)
    shown = tab(f"http://127.0.0.1:{served.port}/#play?{knobs}", ready="#train:enabled")
    shown.click(f"#last tr[data-id='{id}'] button.keep")
    shown.wait_for_selector("#said.wrong")
    assert not path.exists()
    page.click(f"#last tr[data-id='{id}'] button.keep")
    page.wait_for_selector(f"#last tr[data-id='{id}'] a:text('draw')")
    kept = nets.load(path)
    assert (kept.record.id, kept.about.asked) == (id, True)
    page.click(f"#last tr[data-id='{id}'] a:text('draw')")
    page.wait_for_selector(f"option[value='{id}']:checked", state="attached")  # an option is never visible


def test_a_run_that_is_stopped_is_not_recorded_and_a_link_without_the_token_only_shows(served, folder, tab):
    page = tab(f"{served.link}#play?dataset=digits&units=24&batch_size=32&steps=3000000", ready="#train:enabled")
    before = len(Ledger(folder / "results", read_only=True).records())
    page.click("#train")
    page.wait_for_selector("#last tr[data-state=training]")
    shown = tab(f"http://127.0.0.1:{served.port}/#play", ready="#train:enabled")
    shown.wait_for_selector("#last tr[data-state=training]")
    shown.click("#stop")
    shown.wait_for_selector("#said.wrong")
    assert "token" in shown.inner_text("#said")
    page.click("#stop")
    page.wait_for_selector("#last tr[data-state=stopped]")
    assert len(Ledger(folder / "results", read_only=True).records()) == before


SWEEP = """
title = "Tiny"
mlp.base = { units = [24], batch_size = 32, steps = 40, eval_every = 10 }
mlp.grid.lr = [0.002, 0.02]
"""


def test_a_sweep_started_elsewhere_is_followed_paused_and_stopped_and_another_to_its_end(served, folder, tab):
    page = tab(served.link + "#sweep", ready="#start-sweep")
    (folder / "tiny.toml").write_text(SWEEP)

    def sweep(*words):
        places = ["--results", folder / "results", "--media", folder / "media", "--report", folder / "R.md"]
        command = [sys.executable, PROJECT / "mnist_explorer.py", "mlp", "--sweep", folder / "tiny.toml", "--dataset",
                   "digits", "--jobs", "1", "--quiet", *places, *words]  # fmt: skip
        return subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)

    long = sweep("--seeds", 50)
    page.wait_for_selector("[data-sweep][data-state=running] .workers tr")
    page.click("[data-sweep] button:text('Pause')")
    page.wait_for_selector("[data-sweep][data-state=paused]")
    page.click("[data-sweep] button:text('Go on')")
    page.wait_for_selector("[data-sweep][data-state=running]")
    page.click("[data-sweep] button:text('Stop')")
    page.wait_for_selector("[data-sweep][data-state=stopped]")
    assert long.wait(60) == 130

    short = sweep("--seeds", 2, "--steps", 41)
    page.wait_for_selector("[data-sweep][data-state=running]")
    page.wait_for_selector("[data-sweep][data-state=ended]")
    first = page.locator("[data-sweep][data-state=ended]")
    assert "4 of 4 runs" in first.inner_text()
    assert first.locator("table.points tbody tr").count() == 2
    assert first.locator("svg.spark").count() == 2
    assert first.locator("tr.leader th").all_inner_texts() == ["lr 0.02"]
    short.kill()  # its tables and pictures are for others to test
    short.wait()

    first.locator("button:text('5 more seeds')").click()
    page.wait_for_selector("[data-sweep][data-state=running] code:text('--seeds 7')")
    (more,) = following.sweeps(folder / "results")
    cells = "[...document.querySelectorAll('[data-sweep] table.points td')]"
    until(page, f"{cells}.filter((cell) => cell.textContent === '7 of 7').length === 2")
    os.kill(more.plan.pid, signal.SIGKILL)
    seeds = [one.seed for one in Store(folder / "results").records() if one.config.get("steps") == 41]
    assert sorted(seeds) == sorted([*range(7), *range(7)])


def test_the_server_killed_and_back_is_told_and_the_page_goes_on(folder, trained, tab):
    server = Page(folder / "results")
    page = tab(server.link + "#play?dataset=digits", ready="#train:enabled")
    server.process.kill()
    server.process.wait()
    until(page, "document.body.textContent.includes('does not answer')")
    again = Page(folder / "results", server.port)
    try:
        until(page, "!document.body.textContent.includes('does not answer')")
        page.click("#train")
        page.wait_for_selector("#said.wrong")
        assert "started anew" in page.inner_text("#said")
    finally:
        page.close()
        again.end()
        # a killed server cuts connections wherever they are
        tab.problems[:] = [told for told in tab.problems if "net::ERR_" not in told and "403" not in told]


def test_the_page_as_a_file_opens_from_disk_fetches_nothing_and_its_nets_answer_as_kept(folder, trained, tab):
    store = Store(folder / "results", read_only=True)
    judged = study.of_requests(Runs(store.records()), store.requests())
    told = [(facts(nets.Kept(None, net.record, net.about)), weights(net)) for net in trained]
    path = folder / "page.html"
    path.write_bytes(html.whole(judged, [], told))
    page = tab(f"file://{path}#explore?ask=pair&cell=0.001%20%2F%2016")
    page.wait_for_selector("#question .seeds .u-over")
    page.wait_for_selector(".verdict .sentence, #pins .hint")
    page.goto(f"file://{path}#draw")
    until(page, "document.querySelectorAll('[data-ms]').length === 2")
    ask = """async ([id, images]) => { const one = (await data.nets()).find((net) => net.id === id);
        const ready = net.ready(one, await data.weights(one));
        return images.map((pixels) => net.ask(ready, pixels).probabilities); }"""
    for one in trained:
        expected = answers.probabilities(answers.logits(one, PICTURES))
        images = PICTURES.reshape(len(PICTURES), -1).tolist()
        np.testing.assert_allclose(page.evaluate(ask, [one.record.id, images]), expected, atol=1e-4)
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0


def test_every_view_fits_a_narrow_and_a_wide_screen_and_is_reached_by_keys(served, tab):
    for width in (360, 2560):
        page = tab(served.link + "#explore", width=width)
        for number, (view, ready) in enumerate(
            {"explore": ".parallel", "sweep": "#start-sweep", "play": "#train:enabled", "draw": ".bars"}.items(),
            start=1,
        ):
            page.keyboard.press(f"Alt+{number}")
            page.wait_for_selector(ready)
            assert page.locator("#tabs a[aria-current]").get_attribute("data-view") == view
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (width, view)
