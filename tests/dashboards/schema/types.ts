// The dashboards as Grafana's own published types have them, made stricter: those types leave a panel's options, custom
// field settings and queries open, so each panel type is tied here to the types that its plugin publishes.
import type * as schema from "@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen";
import type * as bargauge from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type * as heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as statetimeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
import type { dataquery } from "@grafana/grafana-foundation-sdk/prometheus";
import type * as units from "@grafana/grafana-foundation-sdk/units";

// JSON has strings where TypeScript has string enums.
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

// A suffix of our own is a unit to Grafana, too ("Custom unit with a suffix").
type Unit = (typeof units)[keyof typeof units] | `suffix:${string}`;
type Query = Omit<Json<dataquery>, "_implementsDataqueryVariant">;
type Defaults<Custom> = Omit<Json<schema.FieldConfig>, "unit" | "custom"> & { unit: Unit; custom?: Partial<Json<Custom>> };

type PanelOf<Type extends string, Options, Custom> = Omit<
  Json<schema.Panel>,
  "type" | "title" | "description" | "options" | "fieldConfig" | "targets"
> & {
  type: Type;
  title: string;
  description: string;
  options: Json<Options>;
  targets: Query[];
  fieldConfig: { defaults: Defaults<Custom>; overrides: Json<schema.FieldConfigSource["overrides"]> };
};

type Panel =
  | Json<schema.RowPanel>
  | PanelOf<"bargauge", bargauge.Options, never>
  | PanelOf<"heatmap", heatmap.Options, heatmap.FieldConfig>
  | PanelOf<"stat", stat.Options, never>
  | PanelOf<"state-timeline", statetimeline.Options, statetimeline.FieldConfig>
  | PanelOf<"table", table.Options, table.FieldConfig>
  | PanelOf<"timeseries", timeseries.Options, timeseries.FieldConfig>;

// What the Prometheus data source adds to an annotation; no package publishes it.
type Annotation = Json<schema.AnnotationQuery> & {
  expr: string;
  step: string;
  tagKeys: string;
  textFormat: string;
  titleFormat: string;
  useValueForTime?: "on";
};

export type Dashboard = Omit<Json<schema.Dashboard>, "panels" | "annotations"> & {
  annotations: { list: Annotation[] };
  panels: Panel[];
};
