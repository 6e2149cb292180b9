#!/usr/bin/python3
"""Draws the three dashboards on what a real Prometheus has scraped, checks what is seen, and takes pictures.

    render.py STORY PAGE OUT [--width N] [--only NAME ...] [--themes NAME ...] [--pictures] [--before FOLDER]

STORY is the folder that story.py left, PAGE the one that build.mjs made, OUT gets a PNG of each view and theme. Every
view is drawn twice: with all rows open, which is checked, and as Grafana first shows it, which is the picture. Exit 1 if
a check finds something.
"""

import argparse
import base64
import contextlib
import functools
import http.server
import json
import math
import pathlib
import sys
import threading
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("lab", "e2e/browser", "dashboards")]
import chromium  # noqa: E402  (the path comes first)
import dashboards  # noqa: E402
import sandbox as lab  # noqa: E402

PROMETHEUS = "127.0.0.1:9090"
SCRAPE_SECONDS = 15  # what Grafana's data source takes for the time between two scrapes, unless told
THEMES = ("dark", "light")
HOSTS = ("healthy-1", "exposed-1", "failing-1", "blind-1", "dead-1")
VIEWS = {"fleet": None, "exporter": None, **{f"host-{host}": f"{host}:10061" for host in HOSTS}}

# (view, panel) that is rightly empty in this story, and why.
_NOT_READ = "needs CAP_NET_ADMIN"
_GONE = "asks for what is now, of a host that is not scraped"
NO_DATA = {
    ("host-healthy-1", "Rules that drop INVALID"): "there is none",
    ("host-blind-1", "Rules that drop INVALID"): _NOT_READ,
    ("host-blind-1", "Risk score"): _NOT_READ,
    ("host-blind-1", "Sockets at risk by fate"): _NOT_READ,
    ("host-blind-1", "Live sockets without an entry"): _NOT_READ,
    ("host-blind-1", "Entries that expired under a live connection"): _NOT_READ,
    ("host-blind-1", "Time left before tracking is lost, as a share of the timeout"): _NOT_READ,
    ("host-blind-1", "Silent for longer than a timeout"): _NOT_READ,
    ("host-blind-1", "Live sockets by keepalive"): _NOT_READ,
    ("host-blind-1", "Live sockets by silence"): _NOT_READ,
    ("host-blind-1", "Flows by state"): _NOT_READ,
    ("host-blind-1", "Conntrack statistics"): _NOT_READ,
    ("host-dead-1", "Rules that drop INVALID"): _GONE,
    ("host-dead-1", "Conntrack timeouts"): _GONE,
    ("host-dead-1", "Whose sockets"): _GONE,
    ("host-dead-1", "Network namespaces"): _GONE,
}

# The pictures of the documents: {file: (view, theme, height in px, the whole where None)}.
IMAGES = ROOT / "docs/images"
MOST_BYTES = 150_000
PICTURES = {
    "dashboard-fleet-dark.webp": ("fleet", "dark", None),
    "dashboard-host-failing-light.webp": ("host-failing-1", "light", None),
    "dashboard-host-blind-dark.webp": ("host-blind-1", "dark", 890),
    "dashboard-exporter-light.webp": ("exporter", "light", 820),
}

# The same of older dashboards, on the same data: what was seen before.
BEFORE_PICTURES = {
    "before-fleet-dark.webp": ("fleet", "dark", None),
    "before-host-failing-light.webp": ("host-failing-1", "light", 1400),
    "before-host-blind-dark.webp": ("host-blind-1", "dark", 890),
    "before-exporter-light.webp": ("exporter", "light", 820),
}

# Of the exporter's own page, as story.py left it: {file: (host, theme, width and height in px, selector of the part)}.
# None: the whole height, the whole page.
PAGE_PICTURES = {
    "page-failing-light.webp": ("failing-1", "light", 1280, 1250, None),
    "page-exposed-dark.webp": ("exposed-1", "dark", 1280, 1250, None),
}


@contextlib.contextmanager
def prometheus(story):
    """The story's database, with nothing that scrapes or evaluates."""
    empty = story / "nothing.yml"
    empty.write_text("{}")
    command = [
        "prometheus",
        f"--config.file={empty}",
        f"--storage.tsdb.path={story}/data",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={PROMETHEUS}",
        "--log.level=error",
    ]
    with lab.running(command, log=story / "render.log"):
        lab.wait_for("Prometheus", lambda: lab.get(f"http://{PROMETHEUS}/-/ready")[0] == 200)
        yield


def ask(path, **parameters):
    status, body = lab.get(f"http://{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
    if status != 200:
        raise RuntimeError(f"{parameters['query']}: {body}")
    return json.loads(body)["data"]["result"]


class View:
    """One dashboard at one time with its variables chosen: the questions that Grafana would ask, and their answers."""

    def __init__(self, dashboard, instance, start, end, width):
        self.dashboard, self.instance, self.start, self.end, self.width = dashboard, instance, start, end, width

    def _step(self, panel):
        """Grafana's: a point for each pixel, never less than the panel's or the data source's least."""
        least = 60 if panel.get("interval") == "1m" else SCRAPE_SECONDS
        pixels = panel["gridPos"]["w"] * self.width / 24
        return least * math.ceil((self.end - self.start) / pixels / least)

    def _substituted(self, expr, step):
        return dashboards.substitute(
            expr,
            instance=self.instance or ".+",
            rate_interval=f"{max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)}s",
            time_range=f"{math.ceil(self.end - self.start)}s",
            interval=f"{step}s",
        )

    def _answer(self, panel, target):
        step = self._step(panel)
        expr = self._substituted(target["expr"], step)
        if target["instant"]:
            return {"result": ask("query", query=expr, time=self.end), "range": None}
        around = {"start": self.start // step * step, "end": self.end // step * step, "step": step}
        return {"result": ask("query_range", query=expr, **around), "range": around}

    def _annotations(self):
        found = []
        for annotation in self.dashboard["annotations"]["list"]:
            if not annotation["enable"]:
                continue
            around = {"start": self.start, "end": self.end, "step": 60}
            for series in ask("query_range", query=self._substituted(annotation["expr"], 60), **around):
                values = [float(value) for _, value in series["values"]]
                times = values if annotation.get("useValueForTime") else [1000 * time for time, _ in series["values"]]
                found += [{"time": time, "color": annotation["iconColor"]} for time in sorted(set(times))]
        return found

    def asked(self):
        """All that the page needs to draw it."""
        panels = dashboards.panels(self.dashboard)
        return {
            "dashboard": self.dashboard,
            "answers": {
                panel["id"]: {target["refId"]: self._answer(panel, target) for target in panel["targets"]}
                for panel in panels
            },
            "from": self.start,
            "to": self.end,
            "annotations": self._annotations(),
            "variables": {
                "datasource": {"text": "Prometheus"},
                "job": {"text": "All"},
                "instance": {"text": self.instance or "All"},
            },
        }


@contextlib.contextmanager
def served(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def small_picture(tab, height):
    """A lossy WebP of the page's upper part, as small as a document needs."""
    size = tab.call("Page.getLayoutMetrics")["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
    options = {"format": "webp", "quality": 70, "clip": clip, "captureBeyondViewport": True}
    return base64.b64decode(tab.call("Page.captureScreenshot", **options)["data"])


def draw_page(browser, url, theme, width, height, part, path):
    """A picture of the exporter's own page, or of one part of it."""
    tab = chromium.Tab(browser)
    try:
        tab.show(width, 1000, theme)
        tab.open(url)
        if part:
            tab.evaluate(
                f"document.querySelector({json.dumps(part)}).scrollIntoView();"
                f"document.body.replaceChildren(document.querySelector({json.dumps(part)}).closest('section, details'))"
            )
        path.write_bytes(small_picture(tab, height))
    finally:
        tab.close()


def draw(browser, url, theme, width, now, picture, small=None):
    """What the checks find, exceptions and complaints in the console among it; and a picture of it.
    `small`: (path, height) of one for the documents, too."""
    tab = chromium.Tab(browser)
    try:
        tab.show(width, 1000, theme)
        tab.open(f"{url}&theme={theme}&now={now}")
        found = tab.evaluate("window.drawn")
        tab.screenshot(picture)
        if small:
            path, height = small
            path.write_bytes(small_picture(tab, height))
        missing = [
            one["response"]["url"] for one in tab.events("Network.responseReceived") if one["response"]["status"] >= 400
        ]
        complaints = [text for text in tab.complaints() if "404" not in text] + [f"no {url}" for url in missing]
        return found + [{"panel": "", "kind": "exception", "what": text} for text in complaints]
    finally:
        tab.close()


def problems_of(name, theme, found):
    for one in found:
        if one["kind"] == "no data" and (name, one["panel"]) in NO_DATA:
            continue
        # Of a host that is not scraped nothing is known to be well, but whether an alert fires.
        if one["kind"] == "green tile" and (name != "host-dead-1" or one["panel"] == "Alerts firing"):
            continue
        yield f"{name}, {theme}: {one['panel']}: {one['what']} ({one['kind']})"


def pictures_too_large():
    return [
        IMAGES / name for name in PICTURES | BEFORE_PICTURES | PAGE_PICTURES if (IMAGES / name).exists() and (IMAGES / name).stat().st_size > MOST_BYTES
    ]


def draw_before(arguments, times):
    """Older dashboards, as Grafana first shows them; what is wrong with them is the reason to look."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(prometheus(arguments.story))
        address = stack.enter_context(served(arguments.page))
        browser = stack.enter_context(chromium.chromium())
        for file, (name, theme, height) in BEFORE_PICTURES.items():
            dashboard = json.loads((arguments.before / f"{name.partition('-')[0]}.json").read_text())
            asked = View(dashboard, VIEWS[name], times["start"], times["end"], arguments.width).asked()
            (arguments.page / "before.json").write_text(json.dumps(asked | {"open": False}))
            url = f"{address}/index.html?data=before.json"
            draw(browser, url, theme, arguments.width, times["end"], arguments.out / f"{file}.png", (IMAGES / file, height))
    for path in pictures_too_large():
        print(f"{path} is larger than {MOST_BYTES} bytes", file=sys.stderr)
    return 1 if pictures_too_large() else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("story", type=pathlib.Path)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--pictures", action="store_true", help="renew those of the documents")
    parser.add_argument("--before", type=pathlib.Path, help="a folder of older dashboards: only draw those, for the documents")
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--only", nargs="*", choices=VIEWS)
    parser.add_argument("--themes", nargs="*", choices=THEMES, default=THEMES)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    times = json.loads((arguments.story / "story.json").read_text())
    loaded = dict(dashboards.load())

    if arguments.before:
        return draw_before(arguments, times)

    problems, empty = [], set()
    with contextlib.ExitStack() as stack:
        stack.enter_context(prometheus(arguments.story))
        address = stack.enter_context(served(arguments.page))
        browser = stack.enter_context(chromium.chromium())
        for name in arguments.only or VIEWS:
            dashboard = loaded[f"{name.partition('-')[0]}.json"]
            view = View(dashboard, VIEWS[name], times["start"], times["end"], arguments.width)
            asked = view.asked()
            for file_name, opened in ((f"{name}-open.json", True), (f"{name}.json", False)):
                (arguments.page / file_name).write_text(json.dumps(asked | {"open": opened}))
            for theme in arguments.themes:
                url = f"{address}/index.html?data={name}"
                picture = arguments.out / f"{name}-{theme}"
                found = draw(
                    browser, f"{url}-open.json", theme, arguments.width, times["end"], picture.with_suffix(".open.png")
                )
                small = next(
                    ((IMAGES / file, height) for file, (*of, height) in PICTURES.items() if of == [name, theme]), None
                )
                small = small if arguments.pictures else None
                draw(browser, f"{url}.json", theme, arguments.width, times["end"], picture.with_suffix(".png"), small)
                problems += problems_of(name, theme, found)
                empty |= {(name, one["panel"]) for one in found if one["kind"] == "no data"}
        if arguments.pictures:
            pages = stack.enter_context(served(arguments.story / "pages"))
            for file, (host, *how) in PAGE_PICTURES.items():
                draw_page(browser, f"{pages}/{host}.html", *how, IMAGES / file)
    problems += [f"{path} is larger than {MOST_BYTES} bytes" for path in pictures_too_large()]
    if not arguments.only:
        problems += [f"NO_DATA lists {': '.join(one)}, which has data" for one in NO_DATA if one not in empty]
    for problem in problems:
        print(problem, file=sys.stderr)
    views = len(arguments.only or VIEWS) * len(arguments.themes)
    print(f"{views} views drawn into {arguments.out}, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
