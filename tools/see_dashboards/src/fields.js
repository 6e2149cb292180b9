// A panel's field settings applied to its data: units, thresholds, mappings, overrides. Grafana's own code does it; the
// registry that tells it which settings there are is in Grafana's core, so its names are listed here.
import {
  applyFieldOverrides,
  displayNameOverrideProcessor,
  FieldConfigOptionsRegistry,
  identityOverrideProcessor,
  numberOverrideProcessor,
  standardFieldConfigEditorRegistry,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';

const STANDARD = {
  unit: unitOverrideProcessor,
  min: numberOverrideProcessor,
  max: numberOverrideProcessor,
  decimals: numberOverrideProcessor,
  displayName: displayNameOverrideProcessor,
  color: identityOverrideProcessor,
  mappings: valueMappingsOverrideProcessor,
  thresholds: thresholdsOverrideProcessor,
  noValue: identityOverrideProcessor,
  links: identityOverrideProcessor,
  filterable: identityOverrideProcessor,
};
const CUSTOM =
  'drawStyle lineInterpolation lineWidth fillOpacity gradientMode fillBelowTo lineColor lineStyle pointSize showPoints spanNulls barAlignment barWidthFactor stacking axisPlacement axisLabel axisWidth axisSoftMin axisSoftMax axisGridShow axisCenteredZero axisBorderShow axisColorMode scaleDistribution hideFrom thresholdsStyle transform insertNulls width minWidth align cellOptions inspect filterable hidden'.split(
    ' '
  );
// What Grafana's time series panel has where the dashboard says nothing.
const TIME_SERIES = {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: 'none',
  barAlignment: 0,
  barWidthFactor: 0.6,
  stacking: { mode: 'none', group: 'A' },
  axisGridShow: true,
  axisCenteredZero: false,
  axisBorderShow: false,
  axisPlacement: 'auto',
  axisLabel: '',
  scaleDistribution: { type: 'linear' },
  showPoints: 'auto',
  pointSize: 5,
  spanNulls: false,
  hideFrom: { tooltip: false, viz: false, legend: false },
};

const item = (id, process) => ({
  id,
  path: id,
  name: id,
  process,
  shouldApply: () => true,
  getItemsCount: () => 0,
  override: () => null,
  editor: () => null,
});
const standard = Object.entries(STANDARD).map(([id, process]) => item(id, process));
const custom = CUSTOM.map((id) => ({ ...item(id, identityOverrideProcessor), id: `custom.${id}`, isCustom: true }));
standardFieldConfigEditorRegistry.setInit(() => standard);
const registry = new FieldConfigOptionsRegistry(() => [...standard, ...custom]);

// JSON has null for the lowest threshold.
const withLowest = (thresholds) => ({
  ...thresholds,
  steps: thresholds.steps.map((step) => ({ ...step, value: step.value ?? -Infinity })),
});

// { fieldConfig, data } of a panel, ready to be drawn.
export function configured(panel, frames, theme) {
  const fieldConfig = structuredClone(panel.fieldConfig);
  const defaults = fieldConfig.defaults;
  if (panel.type === 'timeseries') defaults.custom = { ...TIME_SERIES, ...defaults.custom };
  defaults.thresholds = withLowest(
    defaults.thresholds ?? { mode: 'absolute', steps: [{ value: null, color: 'green' }, { value: 80, color: 'red' }] }
  );
  for (const { properties } of fieldConfig.overrides)
    for (const property of properties) if (property.id === 'thresholds') property.value = withLowest(property.value);
  defaults.color ??= { mode: panel.type === 'timeseries' ? 'palette-classic' : 'thresholds' };
  defaults.mappings ??= [];
  const data = applyFieldOverrides({
    data: frames,
    fieldConfig,
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
    fieldConfigRegistry: registry,
  });
  return { fieldConfig, data };
}
