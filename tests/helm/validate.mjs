// Reads a JSON list of manifests from stdin and holds each against the schema of its kind: Kubernetes' own (npm
// kubernetes-models, made from its OpenAPI description) or the Prometheus operator's (from its CRDs). The schemas are
// compiled functions and let unknown fields pass, as the API server's do. Here they do not: each manifest is handed over in
// proxies that note which fields the schema looks at, and a field that no schema looks at is one that Kubernetes would drop.
// Prints one problem a line; exits 1 if there are any.
//
//   node validate.mjs TOOLS < manifests.json
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const tools = process.argv[2];

const schemas = {
  "v1 ConfigMap": "kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap.js",
  "v1 Secret": "kubernetes-models/_schemas/IoK8sApiCoreV1Secret.js",
  "v1 Service": "kubernetes-models/_schemas/IoK8sApiCoreV1Service.js",
  "v1 ServiceAccount": "kubernetes-models/_schemas/IoK8sApiCoreV1ServiceAccount.js",
  "apps/v1 DaemonSet": "kubernetes-models/_schemas/IoK8sApiAppsV1DaemonSet.js",
  "networking.k8s.io/v1 NetworkPolicy": "kubernetes-models/_schemas/IoK8sApiNetworkingV1NetworkPolicy.js",
};
const operator = "@kubernetes-models/prometheus-operator/_schemas/ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1";
for (const kind of ["ServiceMonitor", "PodMonitor", "PrometheusRule"]) {
  schemas[`monitoring.coreos.com/v1 ${kind}`] = `${operator}${kind}.js`;
}

function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  const children = new Map();
  return new Proxy(value, {
    get(target, key) {
      if (typeof key !== "string" || !Object.hasOwn(target, key)) return target[key];
      seen.add(`${path}/${key}`);
      if (!children.has(key)) children.set(key, watched(target[key], `${path}/${key}`, seen));
      return children.get(key);
    },
  });
}

function* fields(value, path = "") {
  if (value === null || typeof value !== "object") return;
  for (const [key, child] of Object.entries(value)) {
    yield `${path}/${key}`;
    yield* fields(child, `${path}/${key}`);
  }
}

let problems = 0;
function complain(name, text) {
  console.log(`${name}: ${text}`);
  ++problems;
}

for (const manifest of JSON.parse(readFileSync(0, "utf8"))) {
  const type = `${manifest.apiVersion} ${manifest.kind}`;
  const name = `${manifest.kind} ${manifest.metadata?.name}`;
  if (!schemas[type]) {
    complain(name, `no schema for ${type}`);
    continue;
  }
  const { validate } = await import(pathToFileURL(join(tools, "node_modules", schemas[type])));
  const seen = new Set();
  if (!validate(watched(manifest, "", seen))) {
    for (const error of validate.errors) {
      complain(name, `${error.instancePath || "/"} must satisfy ${error.keyword} ${JSON.stringify(error.params)}`);
    }
    continue;
  }
  for (const field of fields(manifest)) {
    if (!seen.has(field)) complain(name, `unknown field ${field}`);
  }
}
process.exit(problems ? 1 : 0);
