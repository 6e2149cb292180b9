#include "exporter/views/page/assets.h"

namespace finwait::views::page {

// Fetches the page again and makes the document like it, node by node, so that scroll, focus, selection and opened
// details stay. Everything that is shown comes from the server; without this script the page reloads itself.
const char* const kPageScript = R"js(
(() => {
  'use strict';
  const PERIOD = 5000;
  const connection = document.getElementById('connection');
  const announcement = document.getElementById('announcement');
  const pause = document.getElementById('pause');
  let paused = false;
  let timer = 0;
  let updating = false;
  let lastAnswer = new Date();

  const isOpenDetails = (element, name) => element.nodeName === 'DETAILS' && name === 'open';

  // Both trees have the same skeleton: what has nothing to say is hidden, not left out. So children pair by position.
  const morph = (shown, fresh) => {
    if (shown.isEqualNode(fresh)) return;
    if (shown.nodeType !== fresh.nodeType || shown.nodeName !== fresh.nodeName) {
      shown.replaceWith(fresh);
      return;
    }
    if (shown.nodeType !== Node.ELEMENT_NODE) {
      shown.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...shown.attributes]) {
      if (!fresh.hasAttribute(name) && !isOpenDetails(shown, name)) shown.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
    }
    const before = [...shown.childNodes];
    const after = [...fresh.childNodes];
    after.forEach((node, i) => (i < before.length ? morph(before[i], node) : shown.append(node)));
    before.slice(after.length).forEach((node) => node.remove());
  };

  const show = (html) => {
    const fresh = new DOMParser().parseFromString(html, 'text/html');
    const report = document.getElementById('report');
    const freshReport = fresh.getElementById('report');
    fresh.querySelectorAll('button.copy').forEach((button) => { button.hidden = false; });
    if (!freshReport) throw new Error('the answer is not this page');
    if (freshReport.dataset.version !== report.dataset.version) {
      location.reload();
      return;
    }
    const before = report.dataset.stage;
    document.title = fresh.title;
    morph(document.querySelector('link[rel=icon]'), fresh.querySelector('link[rel=icon]'));
    morph(report, freshReport);
    if (report.dataset.stage !== before) {
      announcement.textContent = `The stage is now ${report.dataset.stage}; it was ${before}.`;
    }
  };

  const update = async () => {
    if (updating) return;
    updating = true;
    clearTimeout(timer);
    try {
      const response = await fetch(location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(10000) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const html = await response.text();
      lastAnswer = new Date();
      connection.textContent = '';
      if (!paused) show(html);
    } catch (error) {
      connection.textContent =
        `No answer from the exporter since ${lastAnswer.toLocaleTimeString()}: what you see is old. Still trying.`;
    } finally {
      updating = false;
      schedule();
    }
  };

  const schedule = () => {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(update, PERIOD);
  };

  // Copies what stands before the button. Without a clipboard (the page came over plain HTTP) it selects it instead.
  const copy = async (button) => {
    const code = button.previousElementSibling;
    getSelection().selectAllChildren(code);
    try {
      await navigator.clipboard.writeText(code.textContent);
      announcement.textContent = 'Copied.';
    } catch (error) {
      announcement.textContent = 'Selected: copy it with the keyboard.';
    }
  };
  document.addEventListener('click', (event) => {
    const button = event.target.closest('button.copy');
    if (button) copy(button);
  });
  document.querySelectorAll('button.copy').forEach((button) => { button.hidden = false; });

  pause.hidden = false;
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.textContent = paused ? 'Resume updates' : 'Pause updates';
    if (paused) clearTimeout(timer);
    else update();
  });
  // A page that nobody sees asks nothing.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) clearTimeout(timer);
    else if (!paused) update();
  });
  schedule();
})();
)js";

}  // namespace finwait::views::page
