// From Prometheus' answers to Grafana's data frames, as its Prometheus data source makes them.
import { FieldType, standardTransformers, standardTransformersRegistry, toDataFrame, transformDataFrame } from '@grafana/data';

// Some transformers are listed twice under one id, which the registry refuses.
const transformers = [...new Map(Object.values(standardTransformers).map((one) => [one.id, one])).values()];
standardTransformersRegistry.setInit(() =>
  transformers.map((one) => ({ id: one.id, name: one.name, transformation: one, editor: () => null }))
);

const numbers = { NaN: NaN, '+Inf': Infinity, '-Inf': -Infinity };
const numberOf = (text) => (text in numbers ? numbers[text] : Number(text));

function legendOf(target, labels) {
  if (!target.legendFormat || target.legendFormat === '__auto') return undefined;
  return target.legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name) => labels[name] ?? '');
}

function tableFrame(target, answer, named) {
  const names = [...new Set(answer.flatMap((series) => Object.keys(series.metric)))].sort();
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: answer.map((series) => series.value[0] * 1000), config: {} },
      ...names.map((name) => ({
        name,
        type: FieldType.string,
        values: answer.map((series) => series.metric[name] ?? ''),
        config: {},
      })),
      {
        name: named ? `Value #${target.refId}` : 'Value',
        type: FieldType.number,
        values: answer.map((series) => numberOf(series.value[1])),
        config: {},
      },
    ],
  });
}

// Steps without a value are there, as null: a line has gaps where nobody knew.
function everyStep(values, { start, end, step }) {
  const at = new Map(values);
  const filled = [];
  for (let time = start; time <= end; time += step) filled.push([time, at.get(time) ?? null]);
  return filled;
}

function seriesFrame(target, series, range) {
  const points = series.values ? everyStep(series.values, range) : [series.value];
  const legend = legendOf(target, series.metric);
  return toDataFrame({
    refId: target.refId,
    name: legend,
    fields: [
      {
        name: 'Time',
        type: FieldType.time,
        values: points.map(([time]) => time * 1000),
        config: { interval: (range?.step ?? 15) * 1000 },
      },
      {
        name: 'Value',
        type: FieldType.number,
        labels: series.metric,
        values: points.map(([, value]) => (value === null ? null : numberOf(value))),
        config: legend === undefined ? {} : { displayNameFromDS: legend },
      },
    ],
  });
}

// The frames of one panel; `answers` is {refId: {result, range}}.
export function framesOf(panel, answers) {
  return panel.targets.flatMap((target) => {
    const { result, range } = answers[target.refId];
    if (target.format === 'table') return result.length ? [tableFrame(target, result, panel.targets.length > 1)] : [];
    return result.map((series) => seriesFrame(target, series, range));
  });
}

export function transformed(panel, frames) {
  if (!panel.transformations?.length) return Promise.resolve(frames);
  const context = { interpolate: (text) => text };
  return new Promise((resolve) => transformDataFrame(panel.transformations, frames, context).subscribe(resolve));
}
