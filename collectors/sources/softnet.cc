#include "collectors/sources/softnet.h"

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "collectors/base/text.h"
#include "collectors/kernel/procfs.h"
#include "collectors/sources/most_cpus.h"

namespace finwait::sources {
namespace {

// The columns of softnet_seq_show that are read. Later kernels add more behind them.
constexpr std::size_t kDropped = 1;
constexpr std::size_t kTimeSqueeze = 2;
constexpr std::size_t kCpu = 12;
constexpr std::size_t kColumns = kCpu + 1;

struct CpuLine {
  std::uint32_t cpu = 0;
  std::uint32_t dropped = 0;
  std::uint32_t times_squeezed = 0;
};

Result<CpuLine> ParseLine(const std::string& where, std::string_view line) {
  std::array<std::uint32_t, kColumns> columns = {};
  std::size_t count = 0;
  for (; count < kColumns && !line.empty(); ++count) {
    const std::size_t end = line.find(' ');
    const auto number = ParseHex<std::uint32_t>(line.substr(0, end));  // "" where two blanks follow each other
    if (!number) {
      return Fail(FailureReason::kError,
                  where + ": column " + std::to_string(count + 1) + " is not a hexadecimal 32-bit number");
    }
    columns[count] = *number;
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  }
  if (count < kColumns) {
    return Fail(FailureReason::kUnsupported,
                where + ": " + std::to_string(count) + " columns, where newer kernels name the CPU in column " +
                    std::to_string(kColumns) + "; whose counters these are cannot be told");
  }
  if (columns[kCpu] >= kMostCpus) {
    return Fail(FailureReason::kError, where + ": there is no CPU " + std::to_string(columns[kCpu]));
  }
  return CpuLine{columns[kCpu], columns[kDropped], columns[kTimeSqueeze]};
}

}  // namespace

Result<Collected> SoftnetCollector::Collect(Deadline deadline) {
  const std::filesystem::path path = host_.procfs / "thread-self/net/softnet_stat";
  // Widening must see whole files only: a value of a file that is refused later would be counted.
  std::vector<CpuLine> lines;
  const auto read = kernel::ForEachLine(path, deadline, [&](std::string_view text) -> Result<void> {
    const std::string where = path.string() + ", line " + std::to_string(lines.size() + 1);
    if (lines.size() == kMostCpus) {
      return Fail(FailureReason::kError, where + ": more lines than Linux can have CPUs");
    }
    auto line = ParseLine(where, text);
    if (!line) {
      return Failure(line.error());
    }
    lines.push_back(*line);
    return {};
  });
  if (!read) {
    return Failure(read.error());
  }
  if (lines.empty()) {
    return Fail(FailureReason::kError, path.string() + " is empty, where each CPU has a line");
  }
  for (const CpuLine& line : lines) {
    CpuCounters& cpu = cpus_[line.cpu];
    cpu.dropped.Extend(line.dropped);
    cpu.times_squeezed.Extend(line.times_squeezed);
  }
  auto sample = std::make_shared<SoftnetSample>();
  for (const auto& [number, cpu] : cpus_) {
    sample->dropped += cpu.dropped.Total();
    sample->times_squeezed += cpu.times_squeezed.Total();
  }
  return Collected{std::move(sample), {}};
}

}  // namespace finwait::sources
