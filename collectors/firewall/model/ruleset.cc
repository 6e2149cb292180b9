#include "collectors/firewall/model/ruleset.h"

#include <algorithm>

#include "collectors/base/text.h"

namespace finwait::firewall {

std::string_view Name(Backend backend) { return backend == Backend::kNft ? "nft" : "legacy"; }

std::string_view Name(TableFamily family) {
  switch (family) {
    case TableFamily::kIpv4:
      return "ip";
    case TableFamily::kIpv6:
      return "ip6";
    case TableFamily::kInet:
      return "inet";
    case TableFamily::kNetdev:
      return "netdev";
    case TableFamily::kBridge:
      return "bridge";
  }
  return "ip";
}

std::string_view Name(Hook hook) {
  switch (hook) {
    case Hook::kIngress:
      return "ingress";
    case Hook::kPrerouting:
      return "prerouting";
    case Hook::kInput:
      return "input";
    case Hook::kForward:
      return "forward";
    case Hook::kOutput:
      return "output";
    case Hook::kPostrouting:
      return "postrouting";
    case Hook::kEgress:
      return "egress";
  }
  return "input";
}

bool Covers(TableFamily table, IpFamily ip) {
  switch (table) {
    case TableFamily::kIpv4:
      return ip == IpFamily::kIpv4;
    case TableFamily::kIpv6:
      return ip == IpFamily::kIpv6;
    case TableFamily::kInet:
    case TableFamily::kNetdev:
      return true;
    case TableFamily::kBridge:
      return false;
  }
  return true;
}

bool HasFlowtables(const Ruleset& ruleset) {
  return std::any_of(ruleset.tables.begin(), ruleset.tables.end(),
                     [](const Table& table) { return !table.flowtables.empty(); });
}

std::vector<FlowtableInTable> FlowtablesOf(const Ruleset& ruleset) {
  std::vector<FlowtableInTable> all;
  for (const Table& table : ruleset.tables) {
    for (const Flowtable& flowtable : table.flowtables) {
      all.push_back({table.family, table.name, flowtable});
    }
  }
  return all;
}

std::string Describe(const FlowtableInTable& flowtable) {
  constexpr std::size_t kMostNamed = 4;
  const std::vector<Device>& devices = flowtable.flowtable.devices;
  std::string at;
  for (std::size_t i = 0; i < std::min(devices.size(), kMostNamed); ++i) {
    at += (i == 0 ? "" : ", ") + devices[i].name + (devices[i].prefix ? "*" : "");
  }
  if (devices.size() > kMostNamed) {
    at += " and " + Counted(devices.size() - kMostNamed, "more device", "more devices");
  }
  return "flowtable " + Quoted(flowtable.flowtable.name) + " of nft table " + std::string(Name(flowtable.family)) +
         " " + flowtable.table + " (" + (at.empty() ? "at no device" : "at the ingress of " + at) + ", priority " +
         std::to_string(flowtable.flowtable.priority) + (flowtable.flowtable.hardware ? ", offload to hardware" : "") +
         ")";
}

const Table* FindTable(const Ruleset& ruleset, Backend backend, TableFamily family, std::string_view name) {
  const auto found = std::find_if(ruleset.tables.begin(), ruleset.tables.end(), [&](const Table& table) {
    return table.backend == backend && table.family == family && table.name == name;
  });
  return found == ruleset.tables.end() ? nullptr : &*found;
}

const Chain* FindChain(const Table& table, std::string_view name) {
  const auto found = table.chains.find(name);
  return found == table.chains.end() ? nullptr : found->second.get();
}

const Set* FindSet(const Table& table, std::string_view name) {
  const auto found = table.sets.find(name);
  return found == table.sets.end() ? nullptr : found->second.get();
}

bool IsUnavailable(const Ruleset& ruleset, Backend backend, IpFamily family) {
  return std::any_of(ruleset.unread.begin(), ruleset.unread.end(), [&](const UnreadPart& part) {
    return part.backend == backend && (!part.family || Covers(*part.family, family));
  });
}

}  // namespace finwait::firewall
