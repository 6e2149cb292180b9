// What needs eyes, found by measuring what the browser has drawn. Each check yields { kind, what } for one panel.

const UNKNOWN = /^(cannot tell|not scraped|no sample|never)$/;
const LEGEND_SHARE = 0.4;

function colorBehind(element) {
  for (let one = element; one; one = one.parentElement) {
    const { backgroundColor, backgroundImage } = getComputedStyle(one);
    const found = /rgba?\((\d+), (\d+), (\d+)(?:, ([\d.]+))?\)/.exec(
      backgroundImage === 'none' ? backgroundColor : backgroundImage
    );
    if (found && Number(found[4] ?? 1) > 0.1) return found.slice(1, 4).map(Number);
  }
  return [255, 255, 255];
}

const isGreen = ([red, green, blue]) => green > 1.15 * red && green > 1.15 * blue;
const leaves = (panel) => [...panel.querySelectorAll('*')].filter((one) => !one.children.length && one.textContent.trim());

function* unknownOnGreen(panel) {
  for (const leaf of leaves(panel)) {
    const text = leaf.textContent.trim();
    // "never" is a good thing to hear where somebody has looked.
    if (UNKNOWN.test(text) && text !== 'never' && isGreen(colorBehind(leaf)))
      yield { kind: 'green', what: `"${text}" on green` };
  }
}

// Text that is wider than the box that shows it: cut off, with or without an ellipsis.
// Green says that somebody knows that all is well now; render.py decides for which hosts nobody can.
function* greenTile(panel) {
  for (const leaf of leaves(panel)) {
    const box = leaf.closest('.body');
    if (box && panel.dataset.type === 'stat' && isGreen(colorBehind(leaf)))
      yield { kind: 'green tile', what: `"${leaf.textContent.trim()}" on green` };
  }
}

function* clipped(panel) {
  for (const leaf of panel.querySelectorAll('.body *')) {
    const text = [...leaf.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!text) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const { left, right } = range.getBoundingClientRect();
    for (let box = leaf; !box.classList.contains('body'); box = box.parentElement) {
      if (getComputedStyle(box).overflowX === 'visible') continue;
      const shown = box.getBoundingClientRect();
      if (right > shown.right + 1 || left < shown.left - 1) {
        yield { kind: 'clipped', what: `"${text.data.trim()}" is cut` };
        break;
      }
    }
  }
}

function* bigLegend(panel) {
  const body = panel.querySelector('.body');
  const labels = [...panel.querySelectorAll('[data-testid*="VizLegend series"]')].map((one) => one.getBoundingClientRect());
  if (!body || !labels.length) return;
  const height = Math.max(...labels.map((one) => one.bottom)) - Math.min(...labels.map((one) => one.top));
  const share = height / body.getBoundingClientRect().height;
  if (share > LEGEND_SHARE) yield { kind: 'legend', what: `the legend takes ${Math.round(100 * share)} %` };
  const box = body.getBoundingClientRect();
  if (labels.some((one) => one.bottom > box.bottom + 2 || one.right > box.right + 2))
    yield { kind: 'legend', what: 'the legend reaches out of the panel' };
}

function* empty(panel) {
  if (panel.querySelector('.no-data')) yield { kind: 'no data', what: 'No data' };
}

function* exception(panel) {
  const found = panel.querySelector('.exception');
  if (found) yield { kind: 'exception', what: found.textContent.slice(0, 200) };
}

export function findings() {
  const checks = [unknownOnGreen, greenTile, clipped, bigLegend, empty, exception];
  return [...document.querySelectorAll('.panel')].flatMap((panel) =>
    checks.flatMap((check) => [...check(panel)].map((found) => ({ panel: panel.dataset.title, ...found })))
  );
}
