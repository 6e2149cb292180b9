#!/usr/bin/env bash
# Checks and tests the recording rules, the alerts and the runbook. Needs promtool and python3-yaml.
set -euo pipefail
cd "$(dirname "$0")"

promtool check rules --lint=all --lint-fatal ../../dashboards/rules.yaml ../../dashboards/alerts.yaml
./check_alerts.py
./check_alertmanager.py
promtool test rules ./*.yaml
./check_rollout.py
