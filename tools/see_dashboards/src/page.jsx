// Draws one dashboard as Grafana would: what ?data= names (render.py writes it), in ?theme=, at the window's width.
import './clock';
import React from 'react';
import { createRoot } from 'react-dom/client';
import { createTheme, dateTime, ThemeContext } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';
import plotStyle from 'uplot/dist/uPlot.min.css';
import inter400 from '@fontsource/inter/files/inter-latin-400-normal.woff2';
import inter500 from '@fontsource/inter/files/inter-latin-500-normal.woff2';
import { findings } from './checks';
import { configured } from './fields';
import { framesOf, transformed } from './frames';
import { Panel } from './panel';
import pageStyle from './page.css';

const GRID = { columns: 24, height: 38, gap: 8 };
const MARGIN = 16;
const asked = new URLSearchParams(location.search);
const theme = createTheme({ colors: { mode: asked.get('theme') ?? 'dark' } });

for (const text of [plotStyle, pageStyle]) {
  const style = document.createElement('style');
  style.textContent = text;
  document.head.append(style);
}

async function loadFonts() {
  for (const [weight, source] of [[400, inter400], [500, inter500]]) {
    const font = new FontFace('Inter', `url(${source})`, { weight: String(weight) });
    document.fonts.add(await font.load());
  }
}

// The panels with their places, those of folded rows where they would be if somebody opened all: [{ panel, top }].
function placed(dashboard, open) {
  let below = 0;
  return dashboard.panels.flatMap((panel) => {
    const here = { panel, top: panel.gridPos.y + below };
    if (!open || !panel.panels?.length) return [here];
    const inside = panel.panels.map((one) => ({ panel: one, top: one.gridPos.y + below }));
    below += Math.max(...panel.panels.map((one) => one.gridPos.y + one.gridPos.h)) - panel.gridPos.y - 1;
    return [here, ...inside];
  });
}

function Variable({ label, value }) {
  return (
    <span className="variable" style={{ borderColor: theme.colors.border.medium }}>
      <b style={{ background: theme.colors.background.secondary }}>{label}</b>
      <span>{value}</span>
    </span>
  );
}

function Bar({ dashboard, variables }) {
  const shown = dashboard.templating.list.filter((variable) => !variable.hide);
  return (
    <div className="bar">
      {shown.map(({ name, label, current }) => (
        <Variable key={name} label={label} value={variables[name]?.text ?? current?.text ?? '+'} />
      ))}
      {dashboard.annotations.list.map(({ name, enable, iconColor }) => (
        <span key={name} className="annotation" style={{ opacity: enable ? 1 : 0.5 }}>
          <span style={{ color: theme.visualization.getColorByName(iconColor) }}>{enable ? '◉' : '○'}</span> {name}
        </span>
      ))}
      <span className="links">
        {dashboard.links.map(({ title, icon }) => (
          <span key={title} style={{ borderColor: theme.colors.border.weak }}>
            {icon === 'doc' ? '▤' : '☰'} {title}
          </span>
        ))}
      </span>
    </div>
  );
}

async function draw() {
  await loadFonts();
  const { dashboard, answers, from, to, variables, annotations, open } = await (await fetch(asked.get('data'))).json();
  const range = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: 'now-1h', to: 'now' } };
  const marks = annotations.map((one) => ({ ...one, color: theme.visualization.getColorByName(one.color) }));
  const cell = (innerWidth - 2 * MARGIN + GRID.gap) / GRID.columns;
  const parts = [];
  let bottom = 0;
  for (const { panel, top } of placed(dashboard, open)) {
    const { x, w, h } = panel.gridPos;
    const style = {
      position: 'absolute',
      left: x * cell,
      top: top * GRID.height,
      width: w * cell - GRID.gap,
      height: h * GRID.height - GRID.gap,
    };
    bottom = Math.max(bottom, (top + h) * GRID.height);
    if (panel.type === 'row') {
      parts.push(
        <div key={panel.id} className="row" style={{ ...style, color: theme.colors.text.primary }}>
          {panel.collapsed && !open ? '▸' : '▾'} {panel.title}
          {panel.collapsed && !open && <small> ({panel.panels.length} panels)</small>}
        </div>
      );
      continue;
    }
    const frames = await transformed(panel, framesOf(panel, answers[panel.id]));
    parts.push(
      <Panel
        key={panel.id}
        panel={panel}
        title={panel.title}
        style={style}
        frames={frames}
        theme={theme}
        range={range}
        annotations={marks}
        {...configured(panel, frames, theme)}
      />
    );
  }
  document.body.style.background = theme.colors.background.canvas;
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div className="page" style={{ color: theme.colors.text.primary, padding: MARGIN }}>
        <Bar dashboard={dashboard} variables={variables} />
        <div style={{ position: 'relative', height: bottom }}>{parts}</div>
      </div>
    </ThemeContext.Provider>
  );
  // Charts are drawn in later frames, of which nothing tells the end.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return findings(theme);
}

// What is wrong with what is seen, for render.py: [{ panel, kind, what }].
window.drawn = draw();
