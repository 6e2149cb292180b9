// An approximation of Grafana's state timeline, which lives in its core and in no package: the same data, colours and
// texts, in rows of rectangles over time.
import React from 'react';
import { getFieldDisplayName } from '@grafana/data';

const AXIS = 20;
const LEGEND = 28;
const clock = (time) => new Date(time).toISOString().slice(11, 16);

// [{ from, to, value }], equal neighbours as one.
function stretches(times, values) {
  const step = times[1] - times[0];
  const found = [];
  times.forEach((time, i) => {
    if (values[i] === null || values[i] === undefined) return;
    const last = found.at(-1);
    if (last && last.value === values[i] && last.to === time) last.to = time + step;
    else found.push({ from: time, to: time + step, value: values[i] });
  });
  return found;
}

export function StateTimeline({ frames, width, height, range, theme }) {
  const rows = frames.map((frame) => ({ name: getFieldDisplayName(frame.fields[1], frame, frames), frame }));
  const left = Math.min(width * 0.45, Math.max(...rows.map(({ name }) => name.length)) * 6.6 + 14);
  const rowHeight = (height - AXIS - LEGEND) / rows.length;
  const [start, end] = [range.from.valueOf(), range.to.valueOf()];
  const across = (time) => left + ((Math.min(Math.max(time, start), end) - start) / (end - start)) * (width - left - 4);
  const legend = new Map();
  const bars = rows.flatMap(({ frame }, row) => {
    const [times, values] = frame.fields;
    return stretches(times.values, values.values).map(({ from, to, value }) => {
      const { text, color } = values.display(value);
      legend.set(text, color);
      const [x, w] = [across(from), across(to) - across(from)];
      return (
        <g key={`${row} ${from}`}>
          <rect x={x} y={(row + 0.05) * rowHeight} width={w} height={rowHeight * 0.9} fill={color} fillOpacity={0.7} />
          {w > text.length * 7 + 6 && rowHeight > 13 && (
            <text x={x + 4} y={(row + 0.5) * rowHeight + 4} fill={theme.colors.getContrastText(color)}>
              {text}
            </text>
          )}
        </g>
      );
    });
  });
  let x = 4;
  return (
    <svg width={width} height={height} style={{ font: '12px Inter' }} fill={theme.colors.text.primary}>
      {rows.map(({ name }, row) => (
        <text key={name} x={left - 6} y={(row + 0.5) * rowHeight + 4} textAnchor="end">
          {name}
        </text>
      ))}
      {bars}
      {[0, 0.25, 0.5, 0.75, 1].map((share) => (
        <text
          key={share}
          x={left + share * (width - left - 4)}
          y={height - LEGEND - 4}
          textAnchor={share === 1 ? 'end' : share ? 'middle' : 'start'}
        >
          {clock(start + share * (end - start))}
        </text>
      ))}
      {[...legend].map(([text, color]) => {
        const at = x;
        x += text.length * 7 + 34;
        return (
          <g key={text}>
            <rect x={at} y={height - 14} width={14} height={4} fill={color} />
            <text x={at + 19} y={height - 8} fill={theme.colors.text.secondary}>
              {text}
            </text>
          </g>
        );
      })}
    </svg>
  );
}
