"""The page with many runs, in a real Chromium: time to the first view, frames a second while brushing, DRAW's answers.

    python -m benchmarks.page --runs 10000

Needs chromium and requirements-dev.txt. The runs are made up, each a configuration of its own: the hardest case.
"""

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from explorer.config import make_config
from explorer.record import stored
from tests.records import record

ROOT = Path(__file__).resolve().parents[1]
DRAG = """async () => {
    const strip = [...document.querySelectorAll('.strip')].at(-1), box = strip.getBoundingClientRect();
    const at = (type, y) => strip.dispatchEvent(new PointerEvent(type, {
        pointerId: 1, bubbles: true, clientX: box.x + box.width / 2, clientY: y }));
    strip.setPointerCapture = () => {};
    const times = [];
    at('pointerdown', box.bottom - 6);
    for (let frame = 0; frame < 120; frame++) {
        at('pointermove', box.bottom - 10 - (box.height - 20) * (0.5 + 0.5 * Math.sin(frame / 12)));
        await new Promise(requestAnimationFrame);
        times.push(performance.now());
    }
    at('pointerup', box.top + 40);
    const gaps = times.slice(1).map((time, index) => time - times[index]).sort((a, b) => a - b);
    return [gaps[gaps.length >> 1], gaps[Math.floor(gaps.length * 0.95)]]; }"""


def made_up(folder: Path, runs: int) -> None:
    chance = random.Random(1)
    optimizers, activations = ("adam", "sgd", "muon", "rmsprop"), ("relu", "silu", "gelu", "tanh")
    with open(folder / "runs.jsonl", "wb") as file:
        for _ in range(runs):
            values = {
                "model": "mlp", "dataset": "mnist", "lr": round(10 ** chance.uniform(-5, 0), 7),
                "batch_size": 2 ** chance.randint(3, 10), "optimizer": chance.choice(optimizers),
                "activation": chance.choice(activations), "dropout": round(chance.uniform(0, 0.6), 2),
                "units": [chance.choice((64, 128, 256, 512)) for _ in range(2)],
                "steps": chance.choice((300, 1000, 3000)),
            }  # fmt: skip
            file.write(stored(record(make_config(values), round(chance.betavariate(60, 2), 4))) + b"\n")


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        made_up(Path(folder), options.runs)
        command = [sys.executable, str(ROOT / "mnist_explorer.py"), "page", "--port", "0", "--results", folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        try:
            began = time.perf_counter()
            page.goto(link, timeout=300_000)
            page.wait_for_selector("tbody tr[data-id]", timeout=300_000)
            print(
                f"the first page of the server, which reads the ledger meanwhile: {time.perf_counter() - began:.2f} s"
            )
            for _ in range(3):
                page.reload()
                page.wait_for_selector("tbody tr[data-id]")
                seconds = page.evaluate("performance.now()") / 1000
                print(f"first view: {seconds:.2f} s; {re.sub(' Blue.*', '', page.inner_text('#counted'))}")
            page.wait_for_selector(".parallel[data-drawn]")
            median, late = page.evaluate(DRAG)
            print(f"brushing: {1000 / median:.0f} frames/s (median), {1000 / late:.0f} in the slowest twentieth")
        finally:
            browser.close()
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
