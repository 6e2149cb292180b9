#include "exporter/views/page/assets.h"

namespace finwait::views::page {

// Text meets WCAG 2.2 AA (4.5 to 1) on every ground it stands on, in light and in dark; tests/e2e/browser measures it.
const char* const kPageStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #f5f6f8; --surface: #ffffff; --ink: #171a1f; --soft: #565e69; --line: #dde1e7; --track: #e4e8ed;
  --link: #1a5ab8; --chart: #4b78bd; --early: #b3560a; --code: #eceff3;
  --good: #1a7745; --bad: #c11d32; --some: #a84a03;
  --stage: #565e69; --tint: #eceef1;
}
.none { --stage: #1a7745; --tint: #e3f3ea; }
.latent { --stage: #805b00; --tint: #faf0d4; }
.exposed { --stage: #a84a03; --tint: #fdeadb; }
.failing { --stage: #b9182e; --tint: #fde6e8; }
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0f1216; --surface: #171b20; --ink: #e7eaee; --soft: #a3acb8; --line: #2a3038; --track: #2a3038;
    --link: #8ab8ff; --chart: #6f9fe6; --early: #ff9d57; --code: #242a32;
    --good: #55c98f; --bad: #ff7a80; --some: #ff9d57;
    --stage: #a3acb8; --tint: #1e232a;
  }
  .none { --stage: #55c98f; --tint: #12291e; }
  .latent { --stage: #e6b94a; --tint: #2b2410; }
  .exposed { --stage: #ff9d57; --tint: #332012; }
  .failing { --stage: #ff7a80; --tint: #35171c; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Inter", sans-serif;
  font-variant-numeric: tabular-nums;
}
h1, h2, h3, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
a { color: var(--link); text-underline-offset: .2em; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 3px; border-radius: 3px; }
code { background: var(--code); border-radius: 4px; padding: .1em .35em; overflow-wrap: anywhere; }
code, .endpoints { font: .8125rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
[hidden] { display: none !important; }

.bar, main, footer { max-width: 78rem; margin-inline: auto; padding-inline: clamp(1rem, 4vw, 2.5rem); }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; z-index: 1; background: var(--surface); padding: .5rem 1rem; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem 1.5rem; padding-block: .9rem; font-size: .875rem; }
.product { font-weight: 600; margin-inline-end: auto; overflow-wrap: anywhere; }
.host { font-weight: 400; color: var(--soft); }
.host::before { content: "on "; }
.bar nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
.bar nav a { text-decoration: none; padding-block: .2rem; }
.bar nav a:hover { text-decoration: underline; }
button {
  font: inherit; color: var(--ink); background: var(--surface); border: 1px solid var(--line); border-radius: 999px;
  padding: .25rem .9rem; cursor: pointer; min-height: 2rem;
}
button:hover { border-color: var(--soft); }
.notice:empty { display: none; }
.notice {
  position: sticky; top: 0; z-index: 1; background: var(--ink); color: var(--paper); text-align: center;
  padding: .5rem 1rem; font-size: .875rem;
}

.verdict { background: var(--tint); border-radius: 18px; padding: clamp(1.25rem, 3.5vw, 2.25rem); }
.headline { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1rem; }
.icon { width: 2.75rem; height: 2.75rem; flex: none; fill: var(--stage); }
.icon .mark { fill: none; stroke: var(--tint); stroke-width: 2.4; stroke-linecap: round; stroke-linejoin: round; }
.icon .dot { fill: var(--tint); }
h1 { font-size: clamp(2rem, 6vw, 3rem); line-height: 1.1; letter-spacing: -.025em; font-weight: 650; color: var(--stage); }
.score { margin-inline-start: auto; color: var(--soft); white-space: nowrap; }
.score b { font-size: clamp(2rem, 6vw, 3rem); line-height: 1.1; letter-spacing: -.025em; font-weight: 650; color: var(--ink); }
.summary { font-size: clamp(1.125rem, 2.4vw, 1.3125rem); line-height: 1.45; max-width: 46rem; margin-block: .9rem 0; text-wrap: pretty; }
.cause { color: var(--soft); max-width: 46rem; margin-block-start: .35rem; overflow-wrap: anywhere; text-wrap: pretty; }
.scale { width: 100%; display: block; overflow: visible; margin-block-start: 1.1rem; }
.band { fill: var(--ink); opacity: .14; }
.band.current { fill: var(--stage); opacity: 1; }
.band-label { fill: var(--soft); font-size: .8125rem; }
.band-label.current { fill: var(--ink); font-weight: 600; }
.marker { fill: var(--surface); stroke: var(--stage); stroke-width: 4; }
.when { color: var(--soft); font-size: .875rem; margin-block-start: .4rem; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin-block: .75rem 0; }
.tile { background: var(--surface); border: 1px solid var(--line); border-radius: 14px; padding: .9rem 1.1rem 1rem; display: flex; flex-direction: column; }
.tile dt { font-size: .875rem; color: var(--soft); }
.tile .number { font-size: 1.875rem; line-height: 1.25; font-weight: 600; letter-spacing: -.02em; }
.tile.alarm .number { color: var(--stage); }
.tile .beside { font-size: .8125rem; line-height: 1.4; color: var(--soft); }

.columns { display: grid; grid-template-columns: minmax(0, 1fr); gap: 2.75rem clamp(2.5rem, 5vw, 4.5rem); margin-block: 2.75rem; }
@media (min-width: 64rem) { .columns { grid-template-columns: minmax(0, 1.1fr) minmax(0, 1fr); } }
.column { display: grid; grid-template-columns: minmax(0, 1fr); gap: 2.75rem; align-content: start; min-width: 0; }
h2 { font-size: 1.1875rem; line-height: 1.3; letter-spacing: -.01em; font-weight: 650; margin-block-end: .6rem; }
h3 { font-size: .875rem; font-weight: 600; }
.about { color: var(--soft); font-size: .875rem; margin-block-end: .75rem; max-width: 42rem; }
.timeout { max-width: 42rem; margin-block-end: .75rem; overflow-wrap: anywhere; }
.statements { display: grid; gap: .7rem; list-style: none; max-width: 42rem; }
.statements li { position: relative; padding-inline-start: 1.6rem; overflow-wrap: anywhere; }
.statements li::before { content: ""; position: absolute; inset-inline-start: .25rem; top: .62em; width: .4rem; height: .4rem; border-radius: 50%; background: var(--soft); }
.alarm li::before { background: var(--stage); }
.steps { counter-reset: step; }
.steps li { counter-increment: step; padding-inline-start: 2.25rem; }
.steps li::before {
  content: counter(step); inset-inline-start: 0; top: .05em; width: 1.5rem; height: 1.5rem; border-radius: 50%;
  background: var(--ink); color: var(--paper); font-size: .8125rem; font-weight: 600; line-height: 1.5rem; text-align: center;
}
.vain li::before, .unobserved li::before { width: auto; height: auto; background: none; top: 0; inset-inline-start: .15rem; color: var(--bad); font-weight: 700; }
.vain li::before { content: "\00D7" / ""; }
.blind li::before { content: "?" / ""; color: var(--soft); }
.statements code { display: inline; }
.statements .detail { display: block; margin-block-start: .35rem; padding: .45rem .7rem; border-radius: 8px; }
.fine { color: var(--soft); }

.table-title { margin-block: 1rem .25rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.4; }
th, td { text-align: start; padding: .5rem .75rem .5rem 0; vertical-align: baseline; border-block-end: 1px solid var(--line); }
th:last-child, td:last-child { padding-inline-end: 0; }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 500; }
.figure { text-align: end; white-space: nowrap; }
.endpoints { overflow-wrap: anywhere; min-width: 11rem; }
.endpoints span { display: block; } .endpoints .local { color: var(--soft); }
.command { display: block; position: relative; }
.command .detail { padding-inline-end: 5.5rem; }
.copy { position: absolute; inset-inline-end: .4rem; top: .3rem; font-size: .75rem; min-height: 1.75rem; padding: .1rem .7rem; }
.first { max-width: 46rem; margin-block-start: .9rem; padding: .8rem 1rem; background: var(--surface); border-radius: 12px; overflow-wrap: anywhere; }
.first .detail { display: block; margin-block: .5rem; padding-block: .45rem; padding-inline-start: .7rem; border-radius: 8px; }
.yes { color: var(--good); } .no { color: var(--bad); } .some { color: var(--some); } .open { color: var(--soft); }
.word { white-space: nowrap; font-weight: 500; }
.charted th { white-space: nowrap; }
.charted + .about, .after { margin-block: .9rem 0; }
.charted th, .charted td { padding-block: 0; vertical-align: middle; border: 0; height: 28px; }
.charted thead th { height: auto; padding-block-end: .3rem; }

.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); gap: 1.75rem 1.75rem; }
svg { overflow: visible; }
.histogram, .row-chart, .curve { width: 100%; display: block; }
.chart-title { display: flex; justify-content: space-between; gap: 1rem; font-size: .875rem; }
.chart-title span { color: var(--soft); }
.bar:is(rect) { fill: var(--chart); }
.bar.early { fill: var(--early); }
.early-word { color: var(--early); font-weight: 600; }
.track { fill: var(--track); }
.axis { stroke: var(--soft); stroke-width: 1; opacity: .6; }
.tick, .count, .empty, .limit-label { font-size: .6875rem; fill: var(--soft); text-anchor: middle; }
.count { fill: var(--ink); font-weight: 600; }
.empty { font-size: .8125rem; }
.area { stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.area.all { fill: var(--chart); fill-opacity: .22; stroke: var(--chart); }
.area.unsaved { fill: var(--early); fill-opacity: .3; stroke: var(--early); stroke-dasharray: 5 3; }
.point { fill: var(--surface); stroke: var(--chart); stroke-width: 2; }
.swatch { display: inline-block; width: 1.1rem; height: .7rem; border: 2px solid var(--chart); margin-inline-end: .4rem; }
.swatch.unsaved { border: 2px dashed var(--early); margin-inline-start: 1rem; }
.limit { stroke: var(--early); stroke-width: 1.5; stroke-dasharray: 3 3; }
.limit-label { fill: var(--early); }
.limit-label.before { text-anchor: end; } .limit-label.behind { text-anchor: start; }
.key { display: inline-block; width: 1.25rem; border-block-start: 2px dashed var(--early); vertical-align: .25em; margin-inline-end: .4rem; }
details { margin-block-start: .9rem; font-size: .875rem; }
summary { cursor: pointer; color: var(--link); padding-block: .25rem; }
.settings { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .35rem 1rem; margin-block-start: .5rem; }
.settings dt { color: var(--soft); overflow-wrap: anywhere; } .settings dd { text-align: end; }
footer { padding-block: 0 2.5rem; color: var(--soft); font-size: .8125rem; }
@media (max-width: 44rem) {
  .scroll table:has(.endpoints) thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .scroll table:has(.endpoints) tr { display: flex; flex-wrap: wrap; gap: .1rem 1rem; padding-block: .5rem; border-block-end: 1px solid var(--line); }
  .scroll table:has(.endpoints) :is(th, td) { border: 0; padding: 0; }
  .scroll .endpoints { flex: 1 0 100%; min-width: 0; }
  td[data-name]::before { content: attr(data-name) " "; color: var(--soft); }
}
@media (max-width: 30rem) { table { font-size: .8125rem; } th, td { padding-inline-end: .5rem; } thead th { white-space: normal; } #collectors th[scope=row], #paths th[scope=row] { overflow-wrap: anywhere; } }
@media (forced-colors: active) { .bar:is(rect), .band.current { fill: CanvasText; } .icon { fill: CanvasText; } }
@media print { .bar nav, button { display: none; } }
)css";

}  // namespace finwait::views::page
