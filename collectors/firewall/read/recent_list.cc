#include "collectors/firewall/read/recent_list.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/kernel/procfs.h"

namespace finwait::firewall::read {
namespace {

// "src=192.0.2.2 ttl: 64 last_seen: 4295123456 oldest_pkt: 2 4295123400, 4295123456" (recent_seq_show()).
std::optional<std::pair<IpAddress, facts::RecentEntry>> Decode(std::string_view line) {
  Words words(line);
  constexpr std::string_view kSource = "src=";
  const std::string_view source = words.Next();
  const auto address =
      source.starts_with(kSource) ? IpAddress::Parse(std::string(source.substr(kSource.size()))) : std::nullopt;
  words.Next();
  const auto time_to_live = ParseNumber<std::uint8_t>(words.Next());
  words.Next();
  words.Next();  // when the last was seen
  const std::string_view oldest = words.Next();
  if (!address || !time_to_live || oldest != "oldest_pkt:" || words.Next().empty()) {
    return std::nullopt;
  }
  facts::RecentEntry entry;
  entry.time_to_live = *time_to_live;
  while (!words.Next().empty()) {
    ++entry.packets;
  }
  return std::pair(*address, entry);
}

}  // namespace

Result<facts::RecentList> ReadRecentList(const kernel::Host& host, const std::string& list, Deadline deadline) {
  const auto path = host.procfs / "thread-self/net/xt_recent" / list;
  if (list.empty() || list.front() == '.' || list.find('/') != std::string::npos) {
    return Fail(FailureReason::kUnsupported, "a list of recent addresses has a name that is no file's");
  }
  facts::RecentList read_list;
  const auto read = kernel::ForEachLine(path, deadline, [&](std::string_view line) -> Result<void> {
    auto entry = Decode(line);
    if (!entry) {
      return Fail(FailureReason::kError, "read " + path.string() + ": a line of an unknown form");
    }
    if (read_list.entries.size() == kMostRecent) {
      return Fail(FailureReason::kUnsupported,
                  "read " + path.string() + ": it has more than " + Counted(kMostRecent, "address", "addresses"));
    }
    read_list.entries.insert(std::move(*entry));
    return {};
  });
  if (!read) {
    return Failure(read.error());
  }
  return read_list;
}

}  // namespace finwait::firewall::read
