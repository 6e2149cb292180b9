#include "collectors/sources/netstat.h"

#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/kernel/procfs.h"

namespace finwait::sources {
namespace {

struct Counter {
  std::string_view column;
  std::optional<std::uint64_t> NetstatSample::*value;
};
constexpr Counter kTcpExtCounters[] = {
    {"TCPAbortFailed", &NetstatSample::abort_failed},    {"TCPAbortOnTimeout", &NetstatSample::abort_on_timeout},
    {"TCPAbortOnClose", &NetstatSample::abort_on_close}, {"TCPAbortOnMemory", &NetstatSample::abort_on_memory},
    {"TCPTimeouts", &NetstatSample::timeouts},
};
constexpr Counter kTcpCounters[] = {
    {"RetransSegs", &NetstatSample::retrans_segs},
    {"OutRsts", &NetstatSample::out_rsts},
};

// Cuts the first word off `line`; empty at its end. The kernel puts exactly one space between words.
std::string_view NextWord(std::string_view* line) {
  const std::size_t end = line->find(' ');
  const std::string_view word = line->substr(0, end);
  line->remove_prefix(end == std::string_view::npos ? line->size() : end + 1);
  return word;
}

// Puts the counters among one group's columns into `sample`, the line of names and the line of values side by side.
Result<void> ReadColumns(const std::string& where, std::string_view names, std::string_view values,
                         std::span<const Counter> counters, NetstatSample* sample) {
  while (!names.empty() && !values.empty()) {
    const std::string_view name = NextWord(&names);
    const std::string_view text = NextWord(&values);
    for (const Counter& counter : counters) {
      if (counter.column != name) {
        continue;
      }
      const auto value = ParseNumber<std::uint64_t>(text);
      if (!value) {
        return Fail(FailureReason::kError,
                    where + ": " + std::string(name) + " is " + Quoted(text) + ", not a 64-bit whole number");
      }
      sample->*counter.value = *value;
    }
  }
  if (!names.empty() || !values.empty()) {
    return Fail(FailureReason::kError, where + ": the line of values is not as long as the line of names");
  }
  return {};
}

// Reads one group ("TcpExt") of a file made of pairs of lines: "TcpExt: NAME NAME" and then "TcpExt: VALUE VALUE".
Result<void> ReadGroup(const std::filesystem::path& path, Deadline deadline, const std::string& group,
                       std::span<const Counter> counters, NetstatSample* sample) {
  const std::string prefix = group + ": ";
  const std::string where = path.string() + ", " + group;
  std::optional<std::string> names;
  bool complete = false;
  auto read = kernel::ForEachLine(path, deadline, [&](std::string_view line) -> Result<void> {
    if (!line.starts_with(prefix) || complete) {
      return {};
    }
    line.remove_prefix(prefix.size());
    if (!names) {
      names = line;
      return {};
    }
    complete = true;
    return ReadColumns(where, *names, line, counters, sample);
  });
  if (read && !complete) {
    return Fail(FailureReason::kError, where + ": no line of names followed by a line of values");
  }
  return read;
}

}  // namespace

Result<Collected> NetstatCollector::Collect(Deadline deadline) {
  const std::filesystem::path directory = host_.procfs / "thread-self/net";
  NetstatSample counted;
  std::vector<Error> gaps;
  bool any = false;
  const auto read = [&](const char* file, const char* group, std::span<const Counter> counters) {
    // Only a group that was understood to its end is believed.
    NetstatSample part = counted;
    if (auto done = ReadGroup(directory / file, deadline, group, counters, &part)) {
      counted = part;
      any = true;
    } else {
      gaps.push_back(done.error());
    }
  };
  read("netstat", "TcpExt", kTcpExtCounters);
  read("snmp", "Tcp", kTcpCounters);
  if (!any) {
    return Failure(gaps.front());
  }
  return Collected{std::make_shared<NetstatSample>(counted), std::move(gaps)};
}

}  // namespace finwait::sources
