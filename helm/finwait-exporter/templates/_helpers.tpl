{{- define "finwait-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "finwait-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "finwait-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "finwait-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "finwait-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "finwait-exporter.labels" -}}
{{- $own := dict
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
      "app.kubernetes.io/version" .Chart.AppVersion
      "app.kubernetes.io/component" "metrics"
      "app.kubernetes.io/part-of" (include "finwait-exporter.name" .)
      "app.kubernetes.io/managed-by" .Release.Service }}
{{- $selector := include "finwait-exporter.selectorLabels" . | fromYaml }}
{{- toYaml (merge $selector $own .Values.commonLabels) }}
{{- end }}

{{- define "finwait-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "finwait-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "finwait-exporter.image" -}}
{{- $registry := default .Values.image.registry (.Values.global).imageRegistry }}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{- define "finwait-exporter.webConfigured" -}}
{{- if and .Values.webConfig.content .Values.webConfig.existingSecret }}
{{- fail "webConfig.content and webConfig.existingSecret exclude each other" }}
{{- end }}
{{- if or .Values.webConfig.content .Values.webConfig.existingSecret }}true{{ end }}
{{- end }}

{{- /* "true" where the program answers over TLS. */}}
{{- define "finwait-exporter.tls" -}}
{{- if .Values.webConfig.existingSecret }}
{{- if .Values.webConfig.tls }}true{{ end }}
{{- else if .Values.webConfig.content.tls_server_config }}true{{ end }}
{{- end }}

{{- /* "true" where the program demands of a client what the kubelet does not have: a password or a certificate. */}}
{{- define "finwait-exporter.authentication" -}}
{{- if .Values.webConfig.existingSecret }}
{{- if .Values.webConfig.authentication }}true{{ end }}
{{- else }}
{{- $clientAuth := (.Values.webConfig.content.tls_server_config).client_auth_type }}
{{- if or .Values.webConfig.content.basic_auth_users (has $clientAuth (list "RequireAnyClientCert" "RequireClientCert" "RequireAndVerifyClientCert")) }}true{{ end }}
{{- end }}
{{- end }}

{{- /* The handler and headers of a probe; takes root, probe and path. */}}
{{- define "finwait-exporter.probe" -}}
{{- $guarded := include "finwait-exporter.authentication" .root }}
{{- $tcp := or (eq .probe.handler "tcp") (and (eq .probe.handler "auto") $guarded (not .probe.httpHeaders)) }}
{{- if $tcp }}
tcpSocket:
  port: metrics
{{- else }}
httpGet:
  path: {{ .path }}
  port: metrics
  scheme: {{ if include "finwait-exporter.tls" .root }}HTTPS{{ else }}HTTP{{ end }}
  {{- with .probe.httpHeaders }}
  httpHeaders:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{ toYaml (omit .probe "handler" "httpHeaders") }}
{{- end }}

{{- /* What ServiceMonitor and PodMonitor say of the endpoint. */}}
{{- define "finwait-exporter.endpoint" -}}
port: metrics
path: {{ .Values.telemetryPath }}
scheme: {{ if include "finwait-exporter.tls" . }}https{{ else }}http{{ end }}
{{- with .Values.monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with .Values.monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- if include "finwait-exporter.tls" . }}
tlsConfig:
  {{- .Values.monitor.tlsConfig | default (dict "insecureSkipVerify" true) | toYaml | nindent 2 }}
{{- end }}
{{- with .Values.monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
relabelings:
  - targetLabel: job
    replacement: {{ .Values.monitor.jobName | quote }}
  {{- if .Values.monitor.instanceIsNode }}
  - sourceLabels:
      - __meta_kubernetes_pod_node_name
    targetLabel: instance
  {{- end }}
  {{- with .Values.monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "finwait-exporter.monitorMetadata" -}}
name: {{ include "finwait-exporter.fullname" . }}
namespace: {{ default (include "finwait-exporter.namespace" .) .Values.monitor.namespace }}
labels:
  {{- $labels := include "finwait-exporter.labels" . | fromYaml }}
  {{- toYaml (merge $labels .Values.monitor.labels) | nindent 2 }}
{{- end }}

{{- define "finwait-exporter.monitorSelection" -}}
namespaceSelector:
  matchNames:
    - {{ include "finwait-exporter.namespace" . }}
selector:
  matchLabels:
    {{- include "finwait-exporter.selectorLabels" . | nindent 4 }}
{{- with .Values.monitor.sampleLimit }}
sampleLimit: {{ int . }}
{{- end }}
{{- end }}
