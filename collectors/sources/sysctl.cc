#include "collectors/sources/sysctl.h"

#include <filesystem>
#include <limits>
#include <string>
#include <utility>

#include "collectors/kernel/procfs.h"
#include "collectors/kernel/whole_procfs.h"

namespace finwait::sources {
namespace {

struct SecondsFile {
  std::string_view path;  // below <procfs>/sys/net
  std::optional<std::chrono::seconds> SysctlSample::*value;
};
constexpr SecondsFile kSecondsFiles[] = {
    {"ipv4/tcp_keepalive_time", &SysctlSample::tcp_keepalive_time},
    {"ipv4/tcp_keepalive_intvl", &SysctlSample::tcp_keepalive_interval},
    {"ipv4/tcp_fin_timeout", &SysctlSample::tcp_fin_timeout},
};

struct NumberFile {
  std::string_view path;
  std::optional<std::uint32_t> SysctlSample::*value;
};
constexpr NumberFile kNumberFiles[] = {
    {"netfilter/nf_conntrack_tcp_loose", &SysctlSample::conntrack_tcp_loose},
    {"netfilter/nf_conntrack_tcp_be_liberal", &SysctlSample::conntrack_tcp_be_liberal},
    {"netfilter/nf_conntrack_events", &SysctlSample::conntrack_events},
    {"ipv4/tcp_keepalive_probes", &SysctlSample::tcp_keepalive_probes},
    {"ipv4/tcp_orphan_retries", &SysctlSample::tcp_orphan_retries},
    {"ipv4/tcp_max_orphans", &SysctlSample::tcp_orphans_limit},
};

// Reads settings one by one and notes what went wrong.
class SettingsReader {
 public:
  SettingsReader(std::filesystem::path directory, Deadline deadline)
      : directory_(std::move(directory)), deadline_(deadline) {}

  std::optional<std::uint32_t> Number(std::string_view file) {
    if (deadline_.Passed()) {
      timed_out_ = true;
      return std::nullopt;
    }
    const auto number = kernel::ReadProcfsUnsigned(directory_ / file, std::numeric_limits<std::uint32_t>::max());
    if (!number) {
      if (!kernel::IsAbsent(number.error())) {
        gaps_.push_back(number.error());
      }
      return std::nullopt;
    }
    any_ = true;
    return static_cast<std::uint32_t>(*number);
  }

  std::optional<std::chrono::seconds> Seconds(std::string_view file) {
    const auto number = Number(file);
    return number ? std::optional(std::chrono::seconds(*number)) : std::nullopt;
  }

  bool ReadAny() const { return any_; }
  bool TimedOut() const { return timed_out_; }
  std::vector<Error>& Gaps() { return gaps_; }

 private:
  std::filesystem::path directory_;
  Deadline deadline_;
  std::vector<Error> gaps_;
  bool any_ = false;
  bool timed_out_ = false;
};

}  // namespace

Result<Collected> SysctlCollector::Collect(Deadline deadline) {
  const std::filesystem::path directory = host_.procfs / "sys/net";
  SettingsReader reader(directory, deadline);
  auto sample = std::make_shared<SysctlSample>();
  for (std::size_t i = 0; i < kConntrackTcpTimeoutNames.size(); ++i) {
    const std::string file = "netfilter/nf_conntrack_tcp_timeout_" + std::string(kConntrackTcpTimeoutNames[i]);
    sample->conntrack_tcp_timeouts[i] = reader.Seconds(file);
  }
  for (const SecondsFile& file : kSecondsFiles) {
    sample.get()->*file.value = reader.Seconds(file.path);
  }
  for (const NumberFile& file : kNumberFiles) {
    sample.get()->*file.value = reader.Number(file.path);
  }
  for (const IpFamily family : kIpFamilies) {
    sample->ingress_devices[family] = kernel::ReadIngressDevices(host_, family, deadline);
  }
  if (reader.TimedOut()) {
    return Fail(FailureReason::kTimeout, "read " + directory.string() + ": not finished within the deadline");
  }
  if (reader.ReadAny()) {
    return Collected{std::move(sample), std::move(reader.Gaps())};
  }
  if (!reader.Gaps().empty()) {
    return Failure(reader.Gaps().front());
  }
  if (auto whole = RequireWholeProcfs(host_); !whole) {
    return Failure(whole.error());
  }
  return Fail(FailureReason::kUnsupported, directory.string() + " has none of the TCP and conntrack settings");
}

}  // namespace finwait::sources
