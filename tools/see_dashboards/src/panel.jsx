// One panel, drawn by Grafana's own components.
import React from 'react';
import { formattedValueToString, getFieldDisplayValues, VizOrientation } from '@grafana/data';
import { BarGauge, BigValue, PanelChrome, Table, TimeSeries, VizRepeater } from '@grafana/ui';
import { StateTimeline } from './state_timeline';

// Annotations are drawn by Grafana's core; here as dashed lines with a triangle below, as it does.
function drawAnnotations(annotations) {
  return (plot) => {
    const { ctx, bbox } = plot;
    for (const { time, color } of annotations) {
      const x = plot.valToPos(time, 'x', true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      const bottom = bbox.top + bbox.height;
      ctx.save();
      Object.assign(ctx, { strokeStyle: color, fillStyle: color, lineWidth: 2 });
      ctx.setLineDash([5, 5]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bottom);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - 5, bottom + 6);
      ctx.lineTo(x + 5, bottom + 6);
      ctx.lineTo(x, bottom);
      ctx.fill();
      ctx.restore();
    }
  };
}

function longest(values) {
  const texts = values.map(({ display }) => ({ title: display.title ?? '', text: formattedValueToString(display) }));
  const pick = (name) => texts.reduce((found, one) => (one[name].length > found.length ? one[name] : found), '');
  return { title: pick('title'), text: pick('text') };
}

function Body({ panel, frames, data, fieldConfig, theme, width, height, range, annotations }) {
  const options = panel.options;
  if (!frames.length && panel.type !== 'stat') {
    const { noValue } = fieldConfig.defaults;
    return <div className={noValue ? 'empty' : 'empty no-data'}>{noValue ?? 'No data'}</div>;
  }
  const values = () =>
    getFieldDisplayValues({
      fieldConfig,
      reduceOptions: options.reduceOptions,
      replaceVariables: (text) => text,
      theme,
      data: frames.length ? data : [],
      sparkline: options.graphMode === 'area',
      timeZone: 'utc',
    });
  switch (panel.type) {
    case 'timeseries':
      return (
        <TimeSeries
          frames={data}
          structureRev={1}
          timeRange={range}
          timeZone="utc"
          width={width}
          height={height}
          legend={options.legend}
          options={options}
        >
          {(config) => {
            config.addHook('draw', drawAnnotations(annotations));
            return null;
          }}
        </TimeSeries>
      );
    case 'table':
      return (
        <Table
          data={data[0]}
          width={width}
          height={height}
          columnMinWidth={60}
          showTypeIcons={false}
          initialSortBy={options.sortBy}
          cellHeight={options.cellHeight}
          timeRange={range}
          noHeader={!options.showHeader}
        />
      );
    case 'stat': {
      const count = values().length;
      const textMode = options.textMode === 'auto' && count === 1 ? 'value' : options.textMode;
      return (
        <VizRepeater
          getValues={values}
          width={width}
          height={height}
          source={data}
          autoGrid
          itemSpacing={3}
          renderCounter={0}
          orientation={options.orientation === 'auto' ? VizOrientation.Auto : options.orientation}
          renderValue={({ value, width, height }) => (
            <BigValue
              value={value.display}
              count={count}
              sparkline={value.sparkline}
              colorMode={options.colorMode}
              graphMode={options.graphMode}
              justifyMode={options.justifyMode}
              textMode={textMode}
              wideLayout={options.wideLayout}
              theme={theme}
              width={width}
              height={height}
            />
          )}
        />
      );
    }
    case 'bargauge':
      return (
        <VizRepeater
          getValues={values}
          getAlignmentFactors={longest}
          width={width}
          height={height}
          source={data}
          itemSpacing={10}
          renderCounter={0}
          orientation={options.orientation}
          minVizHeight={options.minVizHeight}
          maxVizHeight={options.maxVizHeight}
          minVizWidth={options.minVizWidth}
          renderValue={({ value, width, height, orientation, alignmentFactors }) => (
            <BarGauge
              value={value.display}
              field={value.field}
              display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)}
              width={width}
              height={height}
              orientation={orientation}
              alignmentFactors={alignmentFactors}
              text={options.text}
              theme={theme}
              itemSpacing={8}
              lcdCellWidth={12}
              displayMode={options.displayMode}
              showUnfilled={options.showUnfilled}
              valueDisplayMode={options.valueMode}
              namePlacement={options.namePlacement}
            />
          )}
        />
      );
    case 'state-timeline':
      return <StateTimeline frames={data} width={width} height={height} range={range} theme={theme} />;
  }
  throw new Error(`see_dashboards cannot draw panels of type ${panel.type}: add it to src/panel.jsx`);
}

// What a panel throws stands in its place, and the checks find it.
class Boundary extends React.Component {
  state = {};
  static getDerivedStateFromError(error) {
    return { error };
  }
  render() {
    const { error } = this.state;
    return error ? <pre className="exception">{String(error.stack).slice(0, 600)}</pre> : this.props.children;
  }
}

export function Panel({ panel, title, style, ...rest }) {
  return (
    <div className="panel" data-title={panel.title} data-type={panel.type} style={style}>
      <PanelChrome
        title={title}
        description={panel.description}
        width={style.width}
        height={style.height}
        padding={panel.type === 'table' ? 'none' : 'md'}
      >
        {(width, height) => (
          <div className="body" style={{ width, height }}>
            <Boundary>
              <Body panel={panel} width={width} height={height} {...rest} />
            </Boundary>
          </div>
        )}
      </PanelChrome>
    </div>
  );
}
