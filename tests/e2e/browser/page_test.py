#!/usr/bin/python3
"""The page at / in a real Chromium, over states of the host that are made for real in a network of this test's own.

Screenshots of every state, in light and dark, wide and narrow, go to the folder $FINWAIT_SCREENSHOTS if it is set.
"""

import contextlib
import os
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "lab")]
import sandbox as lab  # noqa: E402  (the path comes first)
from chromium import chromium, tab  # noqa: E402

URL = "http://127.0.0.1:10061/"
FAST = "--sampling.interval=1s"
AT_RISK = 'finwait_tcp_at_risk_sockets{fate="fin_dropped"}'
STUCK = 'finwait_tcp_stuck_sockets{state="fin_wait_1",cause="local_drop"}'
WIDE, PHONE, SMALLEST = 1280, 360, 320  # the last as WCAG's reflow has it
HOST = "web-1.example"

# [text, ratio, needed] of every text that does not stand out enough from what is behind it.
POOR_CONTRAST = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((part) => part / 255);
  };
  const luminance = (colour) => {
    const [r, g, b] = rgba(colour).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (rgba(colour)[3] === 1) return colour;
    }
    return getComputedStyle(document.documentElement).colorScheme.includes('dark') ? 'black' : 'white';
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const poor = [];
  const check = (element, colour, needed, what) => {
    const found = ratio(colour, behind(element));
    if (found < needed) poor.push([what, found.toFixed(2), needed]);
  };
  for (const element of document.body.querySelectorAll('*')) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join('');
    const style = getComputedStyle(element);
    if (!text || !element.getClientRects().length || element.nodeName === 'SCRIPT' || element.closest('.unseen')) continue;
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    check(element, element.closest('svg') ? style.fill : style.color, large ? 3 : 4.5, text);
  }
  for (const drawn of document.querySelectorAll('rect.bar, .icon, .band.current')) {
    check(drawn, getComputedStyle(drawn).fill, 3, 'drawing ' + drawn.getAttribute('class'));
  }
  return poor;
})()
"""


# What is cut off: boxes with more in them than they show, and text that ends beyond the window.
CLIPPED = """
(() => {
  const clipped = [];
  for (const element of document.body.querySelectorAll('*')) {
    if (!element.getClientRects().length || element.closest('.unseen, svg, script')) continue;
    const style = getComputedStyle(element);
    if (style.clipPath !== 'none') continue;
    const what = `${element.nodeName}.${element.className}: ${element.textContent.slice(0, 60)}`;
    if (style.overflowX !== 'visible' && element.scrollWidth > element.clientWidth + 1) clipped.push(what);
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (text && element.getBoundingClientRect().right > innerWidth + 1) clipped.push('beyond the window: ' + what);
  }
  return clipped;
})()
"""

LONG_CHAIN = "a-chain-of-twenty-eight-ones"  # as long as iptables allows


def end_old_connections():
    """The browser's to an exporter that is gone: made without conntrack, their FINs would be INVALID once there is a rule."""
    lab.shell("ss -HtK state connected '( sport = :10061 or dport = :10061 )' >/dev/null")


@contextlib.contextmanager
def drop_rules_of_both_families():
    """IPv4 over a chain of its own with a long name, IPv6 with a long rule."""
    end_old_connections()
    comment = "-m comment --comment '" + "why-this-rule-is-here-" * 8 + "'"
    lab.shell(
        f"""
        iptables -N {LONG_CHAIN}; iptables -A OUTPUT -j {LONG_CHAIN}
        iptables -A {LONG_CHAIN} -m conntrack --ctstate INVALID {comment} -j DROP
        ip6tables -A OUTPUT -m conntrack --ctstate INVALID {comment} -j DROP
        """
    )
    try:
        yield
    finally:
        lab.shell(f"iptables -F; iptables -X {LONG_CHAIN}; ip6tables -F; ss -HK state fin-wait-1 >/dev/null")


@contextlib.contextmanager
def healthy():
    with lab.exporter(FAST, "--report.details"):
        yield


@contextlib.contextmanager
def drop_rule(*conditions):
    end_old_connections()
    rule = ["OUTPUT", *conditions, "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"]
    lab.shell("iptables -A " + " ".join(rule))
    try:
        yield
    finally:
        # Without the rule a pending FIN gets through at its next try; the next test is not to wait for that.
        lab.shell("iptables -F OUTPUT; ss -HK state fin-wait-1 >/dev/null")


@contextlib.contextmanager
def short_timeout():
    name = "net.netfilter.nf_conntrack_tcp_timeout_established"
    lab.sysctl(name, 4)
    try:
        yield
    finally:
        lab.sysctl(name, 432000)


@contextlib.contextmanager
def blind():
    without = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    with drop_rule(), lab.exporter(FAST, before=without):
        yield


class PageTest(unittest.TestCase):
    longMessage = True

    @classmethod
    def setUpClass(cls):
        lab.set_host_name(HOST)
        cls.browser = cls.enterClassContext(chromium())
        cls.enterClassContext(lab.peer_listening(80))
        cls.enterClassContext(lab.peer_listening(80, address="::"))

    def tab(self, width=WIDE, scheme="light", url=URL):
        opened = self.enterContext(tab(self.browser))
        opened.show(width, scheme=scheme)
        if url:
            opened.open(url)
        return opened

    # What every state must keep to.

    def check_state(self, name, title, score):
        for width, scheme in ((WIDE, "light"), (WIDE, "dark"), (PHONE, "dark"), (SMALLEST, "light")):
            with self.subTest(state=name, scheme=scheme, width=width):
                page = self.tab(width, scheme)
                self.keep_screenshot(page, f"{name}-{scheme}-{width}.png")
                self.assertEqual(page.evaluate("document.querySelector('h1').textContent"), title)
                self.assertRegex(page.evaluate("document.querySelector('.score').textContent"), score)
                self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), width, "scrolls sideways")
                self.assertEqual(page.evaluate(POOR_CONTRAST), [])
                self.check_outline(page.outline())
                self.assertEqual(page.complaints(), [])
                self.assertEqual(set(page.requests()), {URL})

    def keep_screenshot(self, page, name):
        if folder := os.environ.get("FINWAIT_SCREENSHOTS"):
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(pathlib.Path(folder) / name)

    def check_outline(self, outline):
        roles = [role for role, _, _ in outline]
        for landmark in ("banner", "main", "navigation", "contentinfo"):
            self.assertEqual(roles.count(landmark), 1, landmark)
        levels = [level for role, _, level in outline if role == "heading"]
        self.assertEqual(levels.count(1), 1)
        self.assertEqual(levels[0], 1)
        for before, after in zip(levels, levels[1:]):
            self.assertLessEqual(after, before + 1, "a level is left out")
        for role, name, _ in outline:
            if role in ("region", "table", "image", "img", "navigation", "heading", "link", "button"):
                self.assertNotEqual(name, "", f"a {role} without a name")

    def test_healthy(self):
        with healthy():
            self.check_state("healthy", "No risk", "^Risk score 0 of 100$")

    def test_latent_then_exposed_then_failing_and_a_page_that_is_open_all_the_while(self):
        with drop_rule(), lab.exporter(FAST, "--report.details"), lab.connections(12, 80):
            lab.wait_for("stage latent", lambda: lab.metrics().get('finwait_risk_stage{stage="latent"}') == 1)
            self.check_state("latent", "Latent", "^Risk score ([1-9]|[123][0-9]) of 100$")
            # 30 connections that idle longer than the timeout lose their entries.
            with short_timeout(), lab.connections(30, 80) as holder:
                lab.wait_for("sockets at risk", lambda: lab.metrics()[AT_RISK] >= 30)
                self.check_state("exposed", "Exposed", "^Risk score [456][0-9] of 100$")
                page = self.open_half_read()
                holder.kill()
                lab.wait_for("stuck sockets", lambda: lab.metrics()[STUCK] >= 30)
                self.check_half_read(page, "The stage is now failing; it was exposed.")
                self.check_state("failing", "Failing", "^Risk score ([789][0-9]|100) of 100$")

    def test_many_sockets_of_both_families_are_legible_at_every_width(self):
        flags = (FAST, "--report.details")
        with drop_rules_of_both_families(), short_timeout(), lab.exporter(*flags):
            with lab.connections(25, 80) as one, lab.connections(40, 80, to=lab.PEER6) as other:
                lab.wait_for("sockets at risk", lambda: lab.metrics()[AT_RISK] >= 65)
                self.check_boxes("many-exposed")
                one.kill()
                other.kill()
                lab.wait_for("stuck sockets", lambda: lab.metrics()[STUCK] >= 65)
                self.check_boxes("many-failing")
                page = self.tab()
                rows = page.evaluate("document.querySelector('#stuck tbody').rows.length")
                self.assertEqual(rows, 2, "one for each peer")
                self.assertIn("40", page.evaluate("document.querySelector('#stuck tbody tr').innerText"))
                first = page.evaluate("document.querySelector('#first code').innerText")
                self.assertIn("ip6tables", first, "what helps most sockets comes first")
                self.assertLess(page.evaluate("document.querySelector('#first .copy').getBoundingClientRect().bottom"), 900)
                page.evaluate("document.querySelector('#first .copy').click()")
                lab.wait_for("copied", lambda: page.evaluate("getSelection().toString()"))
                self.assertEqual(page.evaluate("getSelection().toString()"), first)

    def check_boxes(self, name):
        for width in (390, 1280, 1920):
            with self.subTest(state=name, width=width):
                page = self.tab(width)
                page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
                self.keep_screenshot(page, f"{name}-{width}.png")
                self.assertEqual(page.evaluate(CLIPPED), [])
                self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), width, "scrolls sideways")
                self.assertEqual(page.evaluate(POOR_CONTRAST), [])
                self.assertEqual(page.complaints(), [])

    def open_half_read(self):
        """A page on a phone, scrolled far down, with some details opened and the focus on them."""
        page = self.tab(PHONE)
        page.evaluate(
            """
            document.querySelector('#timeouts details').open = true;
            document.querySelector('#timeouts summary').focus();
            document.querySelector('#timeouts summary').scrollIntoView();
            window.before = document.querySelector('h1').firstChild;
            window.place = () => document.querySelector('#timeouts summary').getBoundingClientRect().top;
            window.placeBefore = place();
            """
        )
        self.assertGreater(page.evaluate("scrollY"), 1000)
        return page

    def check_half_read(self, page, announcement):
        """It was updated, and its reader has not noticed but for what is new."""
        said = "document.getElementById('announcement').textContent"
        lab.wait_for("announcement", lambda: page.evaluate(said))
        self.assertEqual(page.evaluate(said), announcement)
        self.assertTrue(page.evaluate("document.querySelector('h1').firstChild === before"), "the heading is a new node")
        self.assertEqual(page.evaluate("document.activeElement.nodeName"), "SUMMARY")
        self.assertTrue(page.evaluate("document.querySelector('#timeouts details').open"))
        self.assertAlmostEqual(page.evaluate("place()"), page.evaluate("placeBefore"), delta=2)
        self.assertEqual(page.complaints(), [])

    def test_blind(self):
        with blind():
            self.check_state("blind", "Cannot tell", "^no score$")
            text = self.tab().evaluate("document.querySelector('#cannot-see').innerText")
            self.assertIn("CAP_NET_ADMIN", text)

    # What the script does.

    def test_an_update_that_brings_nothing_new_replaces_no_element(self):
        with healthy():
            page = self.tab()
            page.evaluate(
                """
                window.replaced = [];  // but in #silence, where the browser's own connection is new
                new MutationObserver((changes) => changes.forEach((change) =>
                  change.target.closest('#silence') || [...change.addedNodes, ...change.removedNodes].forEach((node) =>
                    node.nodeType === 1 && replaced.push(node.outerHTML)))
                ).observe(document.getElementById('report'), { childList: true, subtree: true });
                """
            )
            lab.wait_for("an update", lambda: page.requests().count(URL) >= 2)
            self.assertEqual(page.evaluate("replaced"), [])

    def test_paused_it_asks_nothing_and_resumed_it_asks_at_once(self):
        with healthy():
            page = self.tab()
            page.evaluate("document.getElementById('pause').click()")
            asked = len(page.requests())
            time.sleep(6)  # longer than the page's period; that nothing happens has no event
            self.assertEqual(len(page.requests()), asked)
            page.evaluate("document.getElementById('pause').click()")
            lab.wait_for("an update", lambda: len(page.requests()) > asked, 3)

    def test_it_says_when_the_exporter_is_gone_and_forgets_it_when_it_is_back(self):
        notice = "document.getElementById('connection').innerText"
        with healthy():
            page = self.tab()
        lab.wait_for("notice", lambda: "No answer from the exporter" in page.evaluate(notice))
        with healthy():
            lab.wait_for("end of the notice", lambda: page.evaluate(notice) == "")

    def test_without_scripts_it_is_whole_and_reloads_itself(self):
        with healthy():
            page = self.tab(url=None)
            page.without_scripts()
            page.open(URL)
            self.assertEqual(page.evaluate("document.querySelector('h1').innerText"), "No risk")
            self.assertEqual(page.evaluate("document.querySelector('meta[http-equiv=refresh]').content"), "15")
            self.assertTrue(page.evaluate("document.getElementById('pause').hidden"))

    # What it must not let happen.

    def test_hostile_text_is_shown_and_does_nothing(self):
        comment = '"<script>alert(1)</script></code>\u202e&amp;"'
        chain = '"><img/src=x/onerror=x()>'
        lab.set_host_name("<b>host</b>")
        lab.shell(f"iptables -N '{chain}'; iptables -A '{chain}' -m conntrack --ctstate INVALID -j DROP")
        try:
            with drop_rule("-m", "comment", "--comment", f"'{comment}'"), lab.exporter(FAST, "--report.details"):
                lab.shell(f"iptables -I OUTPUT -j '{chain}'")
                lab.wait_for("the chain", lambda: "onerror" in lab.get(URL)[1])
                page = self.tab()
                shown = page.evaluate("document.body.innerText")
                self.assertIn(r"<script>alert(1)</script></code>\u202e&amp;", shown)
                self.assertIn(chain, shown)
                self.assertIn("<b>host</b>", shown)
                self.assertEqual(page.evaluate("document.querySelectorAll('script').length"), 1)
                self.assertEqual(page.evaluate("document.querySelectorAll('img, b:not(.score b)').length"), 0)
                self.assertEqual(page.complaints(), [])
                self.assertEqual(set(page.requests()), {URL})
        finally:
            lab.set_host_name(HOST)
            lab.shell(f"iptables -F; iptables -X '{chain}'")

    def test_the_policy_stops_whatever_is_not_the_pages_own(self):
        with healthy():
            page = self.tab()
            page.evaluate(
                """
                for (const [tag, text] of [['script', 'window.evil = 1'], ['style', 'body { display: none }']]) {
                  const element = document.createElement(tag);
                  element.textContent = text;
                  document.body.append(element);
                }
                """
            )
            self.assertIsNone(page.evaluate("window.evil"))
            self.assertNotEqual(page.evaluate("getComputedStyle(document.body).display"), "none")
            self.assertNotEqual(page.complaints(), [], "Chromium says what it stopped")

    def test_addresses_and_rules_stay_out_unless_asked_for(self):
        secrets = (lab.LOCAL, lab.PEER, "the-rules-own-words")
        rule = drop_rule("-d", lab.PEER, "-m", "comment", "--comment", secrets[-1])
        with rule, short_timeout(), lab.connections(3, 80):
            for flags, shown in (((), False), (("--report.details",), True)):
                with lab.exporter(FAST, *flags):
                    lab.wait_for("sockets at risk", lambda: lab.metrics()[AT_RISK] >= 3)
                    page = lab.get(URL)[1]
                for secret in secrets:
                    self.assertEqual(secret in page, shown, f"{secret} with {flags}")

    def test_the_keyboard_reaches_the_findings_first(self):
        with healthy():
            page = self.tab()
            page.press("Tab")
            self.assertEqual(page.evaluate("document.activeElement.textContent"), "Skip to the findings")
            self.assertGreaterEqual(page.evaluate("document.activeElement.getBoundingClientRect().left"), 0)


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
