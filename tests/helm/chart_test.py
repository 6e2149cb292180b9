"""Checks of the Helm chart; run.sh sets the two variables below. Names are sentences about the chart."""

import json
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
import unittest

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CHART = ROOT / "helm" / "finwait-exporter"
DASHBOARDS = ROOT / "dashboards"
GOLDEN = ROOT / "tests" / "golden" / "helm"
SCENARIOS = sorted(CHART.glob("ci/*-values.yaml"))
HELM = os.environ["FINWAIT_HELM"]
TOOLS = os.environ["FINWAIT_HELM_TOOLS"]
PROGRAM = os.environ["FINWAIT_PROGRAM"]


def helm(*arguments):
    return subprocess.run([HELM, *map(str, arguments)], capture_output=True, text=True)


def render(*arguments):
    """The manifests of `helm template`, or an AssertionError with what helm said."""
    result = helm("template", "demo", CHART, "--namespace", "monitoring", *arguments)
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return [manifest for manifest in yaml.safe_load_all(result.stdout) if manifest]


def of_kind(manifests, kind):
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def schema_problems(manifests):
    result = subprocess.run(
        ["node", HERE / "validate.mjs", TOOLS], input=json.dumps(manifests), capture_output=True, text=True
    )
    if result.returncode not in (0, 1) or result.stderr:
        raise AssertionError(result.stderr)
    return result.stdout


def container(manifests):
    return of_kind(manifests, "DaemonSet")[0]["spec"]["template"]["spec"]["containers"][0]


class Scenarios(unittest.TestCase):
    def test_lint_finds_nothing(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario.name):
                result = helm("lint", "--strict", CHART, "--values", scenario)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_manifests_satisfy_the_schemas_of_kubernetes_and_the_operator(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario.name):
                self.assertEqual(schema_problems(render("--values", scenario)), "")

    def test_manifests_are_those_of_the_golden_files(self):
        """What comes from dashboards/ is left out there: its own test compares it with the source."""
        for scenario in SCENARIOS:
            with self.subTest(scenario.name):
                manifests = render("--values", scenario)
                for manifest in manifests:
                    if manifest["kind"] == "ConfigMap":
                        manifest["data"] = {name: "(from dashboards/)" for name in manifest["data"]}
                    if manifest["kind"] == "PrometheusRule":
                        manifest["spec"]["groups"] = "(from dashboards/)"
                text = yaml.safe_dump_all(manifests, sort_keys=True, width=120)
                golden = GOLDEN / scenario.name.replace("-values", "")
                if os.environ.get("FINWAIT_UPDATE_GOLDEN"):
                    golden.write_text(text)
                self.assertEqual(golden.read_text(), text, "if the change is meant: FINWAIT_UPDATE_GOLDEN=1 tests/helm/run.sh")

    def test_no_golden_file_is_left_over(self):
        expected = {scenario.name.replace("-values", "") for scenario in SCENARIOS}
        self.assertEqual({path.name for path in GOLDEN.iterdir()}, expected)

    def test_the_schema_check_sees_wrong_types_and_unknown_fields(self):
        manifests = render("--values", CHART / "ci" / "operator-values.yaml")
        pod = of_kind(manifests, "DaemonSet")[0]["spec"]["template"]["spec"]
        monitor = of_kind(manifests, "ServiceMonitor")[0]["spec"]
        for owner, key, value, complaint in [
            (pod, "hostNetworks", True, "unknown field /spec/template/spec/hostNetworks"),
            (pod, "hostNetwork", "yes", "/spec/template/spec/hostNetwork must satisfy type"),
            (pod["containers"][0]["securityContext"], "priviledged", False, "securityContext/priviledged"),
            (monitor["endpoints"][0], "scrapeIntervall", "30s", "unknown field /spec/endpoints/0/scrapeIntervall"),
            (monitor, "selector", None, "/spec/selector must satisfy type"),
        ]:
            with self.subTest(key):
                missing = object()
                before = owner.get(key, missing)
                owner[key] = value
                self.assertIn(complaint, schema_problems(manifests))
                if before is missing:
                    del owner[key]
                else:
                    owner[key] = before


class Source(unittest.TestCase):
    """Alerts, rules and dashboards exist once, in dashboards/."""

    def test_the_package_carries_every_dashboard_rule_and_alert_byte_for_byte(self):
        expected = {f"files/{name}.yaml": DASHBOARDS / f"{name}.yaml" for name in ("alerts", "rules")}
        expected |= {f"files/dashboards/{path.name}": path for path in DASHBOARDS.glob("*.json")}
        with tempfile.TemporaryDirectory() as folder:
            result = helm("package", CHART, "--destination", folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            (package,) = pathlib.Path(folder).glob("*.tgz")
            with tarfile.open(package) as archive:
                packed = {
                    name.removeprefix("finwait-exporter/"): archive.extractfile(name).read()
                    for name in archive.getnames()
                    if name.startswith("finwait-exporter/files/")
                }
                self.assertFalse([name for name in archive.getnames() if "/ci/" in name])
        self.assertEqual(set(packed), set(expected), "link it: helm/finwait-exporter/files")
        for name, path in expected.items():
            self.assertEqual(packed[name], path.read_bytes(), name)

    def test_the_chart_of_a_release_is_what_helm_packages(self):
        with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
            version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
            subprocess.run(
                [ROOT / "packaging/release/make_chart.sh", version, ours],
                env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
                check=True,
            )
            self.assertEqual(helm("package", CHART, "--destination", theirs).returncode, 0)
            contents = []
            for folder in (ours, theirs):
                with tarfile.open(pathlib.Path(folder) / f"finwait-exporter-{version}.tgz") as archive:
                    files = [member for member in archive if not member.isdir()]
                    self.assertTrue(all(member.isfile() for member in files), "a link leads out of the archive")
                    contents.append({member.name: archive.extractfile(member).read() for member in files})
            # Helm writes these two anew, in another order of their fields.
            for name in ("Chart.yaml", "values.schema.json"):
                path = f"finwait-exporter/{name}"
                self.assertEqual(*(yaml.safe_load(content.pop(path)) for content in contents), name)
            self.assertEqual(*contents)
            rendered = helm("template", "demo", pathlib.Path(ours) / f"finwait-exporter-{version}.tgz")
            self.assertEqual(rendered.stdout, helm("template", "demo", CHART).stdout)
            self.assertEqual(rendered.returncode, 0, rendered.stderr)

    def test_config_maps_hold_the_dashboards_unchanged(self):
        manifests = render("--set", "dashboards.enabled=true")
        rendered = {}
        for config_map in of_kind(manifests, "ConfigMap"):
            rendered |= config_map["data"]
        expected = {f"finwait-{path.name}": path.read_text() for path in DASHBOARDS.glob("*.json")}
        self.assertEqual(rendered, expected)

    def source_groups(self):
        return [
            group
            for name in ("rules", "alerts")
            for group in yaml.safe_load((DASHBOARDS / f"{name}.yaml").read_text())["groups"]
        ]

    def test_the_prometheus_rule_is_rules_and_alerts_unchanged(self):
        (rule,) = of_kind(render("--set", "prometheusRule.enabled=true"), "PrometheusRule")
        self.assertEqual(rule["spec"]["groups"], self.source_groups())

    def test_runbook_labels_and_disabled_alerts_change_that_and_nothing_else(self):
        (rule,) = of_kind(render("--values", CHART / "ci" / "operator-values.yaml"), "PrometheusRule")
        expected = self.source_groups()
        for group in expected:
            group["rules"] = [one for one in group["rules"] if one.get("alert") != "FinwaitForwardedFinsDropped"]
            for one in group["rules"]:
                if "alert" in one:
                    one["labels"]["team"] = "network"
                    url = one["annotations"]["runbook_url"]
                    one["annotations"]["runbook_url"] = "https://example.com/finwait_exporter/blob/main/" + url
        self.assertEqual(rule["spec"]["groups"], expected)

    def test_alerts_know_the_job_that_the_monitor_names(self):
        job = yaml.safe_load((CHART / "values.yaml").read_text())["monitor"]["jobName"]
        matchers = set(re.findall(r'job=~\\?"([^"\\]+)', (DASHBOARDS / "alerts.yaml").read_text()))
        matchers = {matcher for matcher in matchers if "finwait" in matcher}
        self.assertTrue(matchers)
        for matcher in matchers:
            self.assertRegex(job, f"^(?:{matcher})$")


class Values(unittest.TestCase):
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def test_every_object_of_the_schema_is_closed(self):
        """Only `global`, which belongs to all charts of a release, takes keys that this chart does not know."""

        def walk(node, path):
            if isinstance(node, dict):
                if node.get("type") == "object" and path != "/properties/global":
                    extra = node.get("additionalProperties")
                    self.assertTrue(extra is False or isinstance(extra, dict), f"{path} is open")
                for key, child in node.items():
                    walk(child, f"{path}/{key}")
            elif isinstance(node, list):
                for index, child in enumerate(node):
                    walk(child, f"{path}/{index}")

        walk(self.schema, "")

    def test_schema_and_values_name_the_same_keys(self):
        not_in_values = {"enabled", "global"}  # of parent charts

        def walk(values, schema, path):
            properties = schema.get("properties")
            if properties is None or not isinstance(values, dict):
                return
            self.assertLessEqual(set(values), set(properties), path)
            if values and path not in ("resources", "seccompProfile", "affinity", "updateStrategy"):
                self.assertEqual(set(properties) - not_in_values if path == "" else set(properties), set(values), path)
                for key, value in values.items():
                    walk(value, properties[key], f"{path}.{key}".strip("."))

        walk(self.values, self.schema, "")

    def test_unknown_or_wrong_values_are_refused(self):
        for setting in [
            "unknown=1",
            "image.tags=latest",
            "monitor.intervall=30s",
            "monitor.kind=Both",
            "profile=privileged",
            "webConfig.content.basic_auth_user.a=b",
            "webConfig.content.basic_auth_users.prometheus=plaintext",
            "webConfig.content.tls_server_config.certfile=x",
            "webConfig.content.http_server_config.headers.X-Frame-Options=allow",
            "livenessProbe.httpGet.path=/",
            "tolerations[0].efect=NoSchedule",
            "affinity.nodeAffinity.required=x",
            "resources.limit.memory=1Gi",
            "updateStrategy.rollingUpdate.maxUnavailble=1",
            "networkPolicy.from[0].podSelectors.a=b",
            "disabledCollectors[0]=conntrack",
            "extraArgs[0]=check",
            "pathTimeouts[0]=10.0.0.0/8=aws",
            "pathTimeouts[0]=350s",
            "port=0",
            "cpuBudget=0",
            "samplingInterval=5",
            "image.digest=sha256:1",
        ]:
            with self.subTest(setting):
                result = helm("template", "demo", CHART, "--set", setting)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn("values don't meet the specifications of the schema", result.stderr)

    def test_values_that_contradict_each_other_are_refused_in_words(self):
        for settings, words in [
            (["monitor.kind=ServiceMonitor", "service.enabled=false"], "needs service.enabled"),
            (["webConfig.existingSecret=a", "webConfig.content.http_server_config.http2=false"], "exclude each other"),
            (["prometheusRule.enabled=true", "prometheusRule.disabledAlerts[0]=Finwait"], 'there is no alert "Finwait"'),
        ]:
            with self.subTest(settings[0]):
                result = helm("template", "demo", CHART, "--set", ",".join(settings))
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(words, result.stderr)

    def test_the_web_configuration_is_one_that_exporter_toolkit_takes(self):
        everything = {
            "tls_server_config": {
                "cert_file": "tls.crt",
                "key_file": "tls.key",
                "client_auth_type": "RequireClientCert",
                "client_ca_file": "tls.crt",
                "min_version": "TLS12",
                "max_version": "TLS13",
                "cipher_suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
                "prefer_server_cipher_suites": True,
                "curve_preferences": ["CurveP256", "X25519"],
            },
            "http_server_config": {"http2": False, "headers": {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=1"}},
            "basic_auth_users": {"a": "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"},
        }
        with tempfile.TemporaryDirectory() as folder:
            web_config = pathlib.Path(folder) / "web-config.yml"
            subprocess.run(
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test -keyout tls.key -out tls.crt",
                shell=True, check=True, capture_output=True, cwd=folder,
            )  # fmt: skip
            values = pathlib.Path(folder) / "values.json"
            values.write_text(json.dumps({"webConfig": {"content": everything, "tlsSecret": "tls"}}))
            for file in [values, *SCENARIOS]:
                for secret in of_kind(render("--values", file), "Secret"):
                    with self.subTest(file.name):
                        web_config.write_text(secret["stringData"]["web-config.yml"])
                        result = subprocess.run(["promtool", "check", "web-config", web_config], capture_output=True, text=True)
                        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_a_parent_chart_may_set_global_and_enabled(self):
        render("--set", "global.anything.goes=1,enabled=true")


class Pods(unittest.TestCase):
    def test_only_net_admin_is_added_and_only_in_its_profile(self):
        for profile, capabilities in [
            ("net-admin", {"drop": ["ALL"], "add": ["NET_ADMIN"]}),
            ("unprivileged", {"drop": ["ALL"]}),
        ]:
            manifests = render("--set", f"profile={profile}")
            context = container(manifests)["securityContext"]
            self.assertEqual(context["capabilities"], capabilities)
            self.assertEqual(
                (context["allowPrivilegeEscalation"], context["privileged"], context["readOnlyRootFilesystem"]),
                (False, False, True),
            )
            pod = of_kind(manifests, "DaemonSet")[0]["spec"]["template"]["spec"]
            self.assertEqual(pod["securityContext"].get("runAsNonRoot", False), profile == "unprivileged")

    def test_no_scenario_mounts_more_of_the_host_than_pod_names_or_a_token(self):
        for scenario in SCENARIOS:
            manifests = render("--values", scenario)
            pod = of_kind(manifests, "DaemonSet")[0]["spec"]["template"]["spec"]
            self.assertIs(pod["automountServiceAccountToken"], False)
            self.assertNotIn("hostIPC", pod)
            for volume in pod.get("volumes", []):
                if volume["name"] == "pod-logs":
                    self.assertEqual(volume["hostPath"]["path"], "/var/log/pods")
                else:
                    self.assertEqual(set(volume), {"name", "projected"})
            for mount in container(manifests).get("volumeMounts", []):
                self.assertIs(mount["readOnly"], True)

    def test_the_nodes_processes_are_seen_only_to_observe_pods(self):
        for namespaces, observes in [("observe", True), ("enter", True), ("none", False)]:
            manifests = render("--set", f"namespaces={namespaces}")
            pod = of_kind(manifests, "DaemonSet")[0]["spec"]["template"]["spec"]
            self.assertEqual(pod.get("hostPID", False), observes)
            self.assertEqual("pod-logs" in [volume["name"] for volume in pod.get("volumes", [])], observes)
            added = pod["containers"][0]["securityContext"]["capabilities"]["add"]
            self.assertEqual(added, ["NET_ADMIN"] + (["SYS_ADMIN", "SYS_PTRACE"] if namespaces == "enter" else []))
            self.assertIn(f"--namespaces={namespaces}", container(manifests)["args"])

    def test_the_web_configuration_s_checksum_follows_its_content(self):
        def checksum(*settings):
            manifests = render(*[part for setting in settings for part in ("--set", setting)])
            return of_kind(manifests, "DaemonSet")[0]["spec"]["template"]["metadata"]["annotations"].get("checksum/web-config")

        one = checksum("webConfig.content.http_server_config.http2=true")
        self.assertIsNotNone(one)
        self.assertEqual(one, checksum("webConfig.content.http_server_config.http2=true", "podLabels.a=b"))
        self.assertNotEqual(one, checksum("webConfig.content.http_server_config.http2=false"))
        self.assertIsNone(checksum())

    def test_probes_fit_what_the_program_demands(self):
        guarded = ["webConfig.existingSecret=web", "webConfig.tls=true", "webConfig.authentication=true"]
        header = "livenessProbe.httpHeaders[0].name=Authorization,livenessProbe.httpHeaders[0].value=Basic x"
        client_certificate = "webConfig.content.tls_server_config.client_auth_type=RequireAndVerifyClientCert"
        for settings, handler, scheme in [
            ([], "httpGet", "HTTP"),
            (["webConfig.content.tls_server_config.cert_file=tls.crt"], "httpGet", "HTTPS"),
            (["webConfig.existingSecret=web", "webConfig.tls=true"], "httpGet", "HTTPS"),
            (guarded, "tcpSocket", None),
            ([client_certificate], "tcpSocket", None),
            (guarded + [header], "httpGet", "HTTPS"),
            (guarded + ["livenessProbe.handler=http"], "httpGet", "HTTPS"),
            (["livenessProbe.handler=tcp"], "tcpSocket", None),
        ]:
            with self.subTest(settings):
                probe = container(render(*(["--set", ",".join(settings)] if settings else [])))["livenessProbe"]
                self.assertEqual({"httpGet", "tcpSocket"} & set(probe), {handler})
                if scheme:
                    self.assertEqual((probe["httpGet"]["scheme"], probe["httpGet"]["path"]), (scheme, "/healthz"))

    def test_the_program_knows_every_flag_and_the_schema_every_collector(self):
        text = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
        flags = set()
        for optional_no, name in re.findall(r"--(\[no-\])?([a-z][a-z0-9._-]*[a-z0-9_])", text):
            flags |= {f"--{name}", f"--no-{name}"} if optional_no else {f"--{name}"}
        for scenario in SCENARIOS:
            for argument in container(render("--values", scenario))["args"]:
                self.assertIn(argument.split("=")[0], flags, scenario.name)
        collectors = {flag.removeprefix("--collector.") for flag in flags if flag.startswith("--collector.")}
        known = Values.schema["properties"]["disabledCollectors"]["items"]["enum"]
        self.assertLessEqual(collectors, set(known))

    def test_the_program_knows_every_preset_of_the_schema(self):
        pattern = Values.schema["properties"]["pathTimeouts"]["items"]["pattern"]
        for preset in re.search(r"h\)\|(.*)\)\$", pattern)[1].split("|"):
            arguments = container(render("--set", f"pathTimeouts[0]=192.0.2.0/24={preset}"))["args"]
            (flag,) = [one for one in arguments if one.startswith("--path.timeout")]
            result = subprocess.run([PROGRAM, "check", flag, "--format=json"], capture_output=True, text=True)
            self.assertEqual(result.stderr, "", preset)

    def test_it_listens_where_port_forward_connects_unless_told_otherwise(self):
        listens = [argument for argument in container(render())["args"] if "listen-address" in argument]
        self.assertEqual(listens, ["--web.listen-address=[$(HOST_IP)]:10061", "--web.listen-address=127.0.0.1:10061"])
        listens = container(render("--set", "listenOnLoopback=false"))["args"]
        self.assertNotIn("--web.listen-address=127.0.0.1:10061", listens)
        # On every address includes loopback, and one port cannot be had twice.
        listens = container(render("--set", "listenOnAllInterfaces=true"))["args"]
        self.assertEqual([one for one in listens if "listen-address" in one], ["--web.listen-address=:10061"])

    def test_the_scenarios_drop_no_metric_that_an_alert_or_a_dashboard_reads(self):
        read = "".join(path.read_text() for path in [*DASHBOARDS.glob("*.json"), *DASHBOARDS.glob("*.yaml")])
        metrics = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.M)
        for scenario in SCENARIOS:
            values = yaml.safe_load(scenario.read_text()) or {}
            for rule in values.get("monitor", {}).get("metricRelabelings", []):
                for name in metrics:
                    if rule["action"] == "drop" and re.fullmatch(rule["regex"], name):
                        self.assertNotRegex(read, rf"\b{name}\b", scenario.name)

    def test_the_dashboards_link_the_runbook_where_it_is_published(self):
        base = "https://example.com/runbooks/"
        options = ["--set", "dashboards.enabled=true", "--set", f"prometheusRule.runbookBaseUrl={base}"]
        (host,) = [text for one in of_kind(render(*options), "ConfigMap") for name, text in one["data"].items() if "host" in name]
        (runbook,) = [one for one in json.loads(host)["templating"]["list"] if one["name"] == "runbook"]
        self.assertEqual(runbook["query"], f"{base}dashboards/runbook.md")

    def test_the_program_can_listen_on_a_bracketed_address_of_either_family(self):
        for address in ("192.0.2.1", "2001:db8::1"):
            flag = container(render())["args"][0].replace("$(HOST_IP)", address)
            result = subprocess.run([PROGRAM, "check", flag, "--format=json"], capture_output=True, text=True)
            self.assertEqual(result.stderr, "")


if __name__ == "__main__":
    unittest.main()
