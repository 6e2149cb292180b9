#include "collectors/sources/firewall.h"

#include <algorithm>

#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

using firewall::Backend;
using firewall::Hook;

bool Has(const std::vector<IpFamily>& families, IpFamily family) {
  return std::find(families.begin(), families.end(), family) != families.end();
}

// By family and hook.
void AddDrops(const diagnosis::DropTotals& totals, Family& family) {
  for (const IpFamily ip : kIpFamilies) {
    for (const Hook hook : firewall::kHooks) {
      family.Add({{"family", Name(ip)}, {"hook", Name(hook)}},
                 static_cast<double>(totals[static_cast<std::size_t>(ip)][static_cast<std::size_t>(hook)]));
    }
  }
}

std::string_view VerdictLabel(firewall::eval::Disposition disposition) {
  switch (disposition) {
    case firewall::eval::Disposition::kAccept:
      return "accept";
    case firewall::eval::Disposition::kDrop:
    case firewall::eval::Disposition::kReject:
      return "drop";  // a FIN that is rejected on its way out is as lost as one that is dropped
    case firewall::eval::Disposition::kUnknown:
      return "unknown";
  }
  return "unknown";
}

void AppendPaths(const diagnosis::Diagnosis& diagnosis, Families& families) {
  Family active =
      Family::Gauge("conntrack_active",
                    "1 where conntrack's hooks run in this network namespace, 0 where not; inferred from rules "
                    "and entries.");
  for (const IpFamily family : kIpFamilies) {
    if (const auto& known = diagnosis.conntrack_active[family]) {
      active.Add({{"family", Name(family)}}, *known ? 1 : 0);
    }
  }
  active.AppendTo(families);
  if (!diagnosis.paths) {
    return;
  }
  Family paths =
      Family::Gauge("firewall_path_verdict",
                    "What this host's rules do to a packet without a conntrack entry, of a connection that no narrower "
                    "rule singles out. 1 for the verdict, 0 for the others.");
  for (const IpFamily family : kIpFamilies) {
    for (std::size_t packet = 0; packet < std::size(diagnosis::kPathPackets); ++packet) {
      const std::string_view is = VerdictLabel((*diagnosis.paths)[family][packet]);
      for (const std::string_view verdict : {"accept", "drop", "unknown"}) {
        paths.Add({{"family", Name(family)}, {"packet", diagnosis::kPathPackets[packet]}, {"verdict", verdict}},
                  is == verdict ? 1 : 0);
      }
    }
  }
  paths.AppendTo(families);
}

}  // namespace

void AppendFirewall(const diagnosis::Diagnosis& diagnosis, Families& families) {
  const auto* sample = diagnosis.snapshot->Find<sources::FirewallSample>();
  if (sample == nullptr) {
    return;
  }
  Family rules =
      Family::Gauge("firewall_invalid_drop_rules",
                    "Rules that drop or reject INVALID packets, by what they mean, with or without a counter.");
  for (const Backend backend : firewall::kBackends) {
    for (const IpFamily family : kIpFamilies) {
      if (firewall::IsUnavailable(*sample->ruleset, backend, family)) {
        continue;
      }
      for (const Hook hook : firewall::kHooks) {
        const auto number =
            std::count_if(sample->invalid_drops.begin(), sample->invalid_drops.end(), [&](const auto& rule) {
              return rule.location.backend == backend && Has(rule.families, family) &&
                     std::find(rule.hooks.begin(), rule.hooks.end(), hook) != rule.hooks.end();
            });
        rules.Add({{"backend", Name(backend)}, {"family", Name(family)}, {"hook", Name(hook)}},
                  static_cast<double>(number));
      }
    }
  }
  rules.AppendTo(families);

  if (diagnosis.firewall) {
    Family invalid =
        Family::Counter("firewall_invalid_drop_packets_total",
                        "INVALID packets that rules with a counter dropped. Anyone can make this rise with bare FINs; "
                        "alone it proves nothing.");
    AddDrops(diagnosis.firewall->invalid_drops, invalid);
    invalid.AppendTo(families);
    Family policy = Family::Counter("firewall_policy_drop_packets_total",
                                    "Packets that a chain's default policy dropped, where the chain counts them.");
    AddDrops(diagnosis.firewall->policy_drops, policy);
    policy.AppendTo(families);
  }
  AppendPaths(diagnosis, families);

  Family read = Family::Gauge(
      "firewall_rules", "Rules in the chains that can drop a packet and in all that they jump to; nat is left out.");
  for (const Backend backend : firewall::kBackends) {
    for (const IpFamily family : kIpFamilies) {
      if (!firewall::IsUnavailable(*sample->ruleset, backend, family)) {
        read.Add({{"backend", Name(backend)}, {"family", Name(family)}},
                 static_cast<double>(sample->rules[static_cast<std::size_t>(backend)][family]));
      }
    }
  }
  read.AppendTo(families);
  Family::Gauge(
      "firewall_last_change_timestamp_seconds",
      "Unix time of the sample that last found the ruleset changed; before the first change, of the first sample.")
      .Add({}, std::chrono::duration<double>(sample->last_change.time_since_epoch()).count())
      .AppendTo(families);
}

}  // namespace finwait::views::metrics
