#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/read/legacy_reader.h"
#include "collectors/kernel/host.h"
#include "tests/recording/message_text.h"

namespace finwait::recording {

/// What one kernel answered to those who read the rules of one network namespace: over netlink (nftables) and through
/// x_tables' socket options (legacy tables).
struct KernelRecording {
  /// A request, and all messages of its answer, as TextOf writes them; in the order in which they were asked.
  struct Exchange {
    std::string request;
    std::vector<std::string> answer;
  };
  struct LegacyTable {
    firewall::read::LegacyTableInfo info;
    ByteVector entries;
  };
  using LegacyKey = std::pair<firewall::TableFamily, std::string>;

  std::vector<Exchange> exchanges;
  /// The lines of ip_tables_names and ip6_tables_names.
  std::map<firewall::TableFamily, std::vector<std::string>> legacy_names;
  std::map<LegacyKey, LegacyTable> legacy_tables;

  /// Starts the answer to `request`, once more if it was asked before: only the last answer counts.
  std::size_t StartExchange(const std::string& request);
  /// As a file of lines, and back; ParseRecording throws std::runtime_error where `text` is no such file.
  std::string Text() const;
  static KernelRecording Parse(const std::string& text);
};

/// `host` with channels for which `recording` notes what the kernel answers.
kernel::Host RecordingHost(kernel::Host host, std::shared_ptr<KernelRecording> recording);
/// The real socket options, noted. The caller has made sure that the table is there.
std::shared_ptr<firewall::read::LegacyKernel> RecordingLegacyKernel(std::shared_ptr<KernelRecording> recording);

/// A host whose kernel answers as recorded, in whatever order it is asked. A request that the recording does not hold
/// fails with a sentence that names it. Has a procfs of its own with the lists of legacy tables.
kernel::Host ReplayingHost(std::shared_ptr<const KernelRecording> recording);
std::shared_ptr<firewall::read::LegacyKernel> ReplayingLegacyKernel(std::shared_ptr<const KernelRecording> recording);

}  // namespace finwait::recording
