#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace finwait::service {

/// What tells under which names a host is known, as text.
struct NameSources {
  std::string node_name;    ///< of uname
  std::string hosts;        ///< /etc/hosts
  std::string resolv_conf;  ///< /etc/resolv.conf
};

/// Reads all of them, each file up to 64 KiB; a file that is not there is empty.
NameSources ReadNameSources(const std::filesystem::path& etc = "/etc");

/// The names by which people ask for this host: its own, long and short; the names that /etc/hosts has in a line with
/// it (its canonical one, as `hostname --fqdn` finds it); its short name in each domain that resolv.conf searches. No
/// name is looked up in the network, so they are as true as these files. Each once; none where the host has no name.
std::vector<std::string> OwnNames(const NameSources& sources);

}  // namespace finwait::service
