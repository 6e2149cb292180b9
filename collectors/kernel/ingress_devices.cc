#include "collectors/kernel/ingress_devices.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "collectors/base/text.h"
#include "collectors/kernel/procfs.h"

namespace finwait::kernel {
namespace {

std::vector<std::string_view> Fields(std::string_view line) {
  std::vector<std::string_view> fields;
  Words words(line);
  for (std::string_view field = words.Next(); !field.empty(); field = words.Next()) {
    fields.push_back(field);
  }
  return fields;
}

bool IsLoopback(std::string_view name) { return name == "lo"; }

// rp_filter = 2 asks only whether the source can be reached at all.
bool FiltersStrictly(const Host& host, const std::string& name) {
  const auto read = [&](const std::string& device) {
    return ReadProcfsUnsigned(host.procfs / "sys/net/ipv4/conf" / device / "rp_filter").value_or(0);
  };
  return std::max(read("all"), read(name)) == 1;
}

std::vector<IngressDevice> ReadIpv4(const Host& host, Deadline deadline) {
  const std::filesystem::path net = host.procfs / "thread-self/net";
  // Iface Destination Gateway Flags RefCnt Use Metric Mask ...: those whose device is up.
  std::set<std::string> leading_on;
  auto read = ForEachLine(net / "route", deadline, [&](std::string_view line) -> Result<void> {
    const std::vector<std::string_view> fields = Fields(line);
    if (fields.size() > 7 && fields[0] != "Iface" && !IsLoopback(fields[0]) &&
        (fields[7] != "FFFFFFFF" || fields[2] != "00000000")) {
      leading_on.emplace(fields[0]);
    }
    return {};
  });
  // "2\teth0      :     1      V3", and below it the groups that it is in, indented.
  std::map<std::string, std::uint32_t> indexes;
  if (read) {
    read = ForEachLine(net / "igmp", deadline, [&](std::string_view line) -> Result<void> {
      const std::vector<std::string_view> fields = Fields(line);
      const auto index =
          fields.size() > 1 && !line.starts_with('\t') ? ParseNumber<std::uint32_t>(fields[0]) : std::nullopt;
      if (index) {
        std::string name(fields[1]);
        if (name.ends_with(':')) {
          name.pop_back();
        }
        indexes[name] = *index;
      }
      return {};
    });
  }
  std::vector<IngressDevice> devices;
  for (const std::string& name : leading_on) {
    const auto index = indexes.find(name);
    if (read && index != indexes.end() && !FiltersStrictly(host, name)) {
      devices.push_back({name, index->second});
    }
  }
  return devices;
}

std::vector<IngressDevice> ReadIpv6(const Host& host, Deadline deadline) {
  // Address, index, prefix length, scope, flags (hexadecimal), name.
  std::map<std::string, std::uint32_t> devices;
  const auto read =
      ForEachLine(host.procfs / "thread-self/net/if_inet6", deadline, [&](std::string_view line) -> Result<void> {
        const std::vector<std::string_view> fields = Fields(line);
        const auto index = fields.size() > 5 ? ParseHex<std::uint32_t>(fields[1]) : std::nullopt;
        if (index && fields[2] != "80" && fields[3] == "00" && !IsLoopback(fields[5])) {
          devices[std::string(fields[5])] = *index;
        }
        return {};
      });
  std::vector<IngressDevice> found;
  for (const auto& [name, index] : devices) {
    if (read) {
      found.push_back({name, index});
    }
  }
  return found;
}

}  // namespace

std::vector<IngressDevice> ReadIngressDevices(const Host& host, IpFamily family, Deadline deadline) {
  return family == IpFamily::kIpv4 ? ReadIpv4(host, deadline) : ReadIpv6(host, deadline);
}

}  // namespace finwait::kernel
