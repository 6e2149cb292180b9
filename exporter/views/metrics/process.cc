#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "exporter/privilege/refused_calls.h"
#include "exporter/process/usage.h"
#include "exporter/views/metrics/boot_time.h"
#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

void AppendProcessMetric(std::string name, std::string help, prometheus::MetricType type, double value,
                         Families& families) {
  prometheus::MetricFamily family{std::move(name), std::move(help), type, {}};
  prometheus::ClientMetric& metric = family.metric.emplace_back();
  (type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  families.push_back(std::move(family));
}

}  // namespace

void AppendProcess(const process::Program& program, Families& families) {
  using prometheus::MetricType;
  const auto own = process::ReadUsage();
  if (!own) {
    return;
  }
  process::Usage sum = *own;
  bool measured = own->memory_bytes.has_value();
  std::uint64_t memory = own->memory_bytes.value_or(0);
  for (const process::ProcessReport& other : program.others) {
    const process::Usage usage = other.usage.value_or(process::Usage());
    sum.cpu_seconds += usage.cpu_seconds;
    sum.virtual_bytes += usage.virtual_bytes;
    sum.threads += usage.threads;
    sum.open_files += usage.open_files;
    sum.resident_bytes += usage.resident_bytes;
    measured = measured && usage.memory_bytes;
    memory += usage.memory_bytes.value_or(0);
  }
  AppendProcessMetric("process_cpu_seconds_total", "User and system CPU time of all processes of this program.",
                      MetricType::Counter, sum.cpu_seconds, families);
  AppendProcessMetric("process_resident_memory_bytes",
                      "Memory of all processes of this program; what they share counts once (Pss of smaps_rollup).",
                      MetricType::Gauge, static_cast<double>(measured ? memory : sum.resident_bytes), families);
  AppendProcessMetric("process_virtual_memory_bytes", "Virtual memory of all processes of this program.",
                      MetricType::Gauge, static_cast<double>(sum.virtual_bytes), families);
  AppendProcessMetric(
      "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", MetricType::Gauge,
      BootTime().value_or(0) + static_cast<double>(own->started_ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK)),
      families);
  AppendProcessMetric("process_threads", "Threads of all processes of this program.", MetricType::Gauge,
                      static_cast<double>(sum.threads), families);
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    AppendProcessMetric("process_open_fds", "Open file descriptors of the process that serves HTTP.", MetricType::Gauge,
                        static_cast<double>(own->open_files), families);
    AppendProcessMetric("process_max_fds", "The most file descriptors that a process of this program may have open.",
                        MetricType::Gauge, static_cast<double>(limit.rlim_cur), families);
  }
}

void AppendBuildInfo(Families& families) {
  Family::Gauge("exporter_build_info", "Always 1; what this program was built from and with.")
      .Add({{"version", FINWAIT_VERSION}, {"compiler", "g++ " __VERSION__}}, 1)
      .AppendTo(families);
}

void AppendRefusedCalls(const process::Program& program, Families& families) {
  std::uint64_t total = privilege::RefusedCallTotal();
  for (const process::ProcessReport& other : program.others) {
    for (const privilege::RefusedCall& call : other.refused) {
      total += call.times;
    }
  }
  Family::Counter("exporter_refused_system_calls_total",
                  "System calls of this program's that its own seccomp filter refused; any is a bug or an intruder.")
      .Add({}, static_cast<double>(total))
      .AppendTo(families);
}

void AppendSandbox(const process::Program& program, Families& families) {
  auto family = Family::Gauge("exporter_sandbox",
                              "1 where no process of this program has more of this than it needs: capabilities, "
                              "system calls (seccomp), files (landlock), requests to the kernel (sealed).");
  for (const process::Layer layer : process::kLayers) {
    bool all = program.layers[static_cast<std::size_t>(layer)];
    for (const process::ProcessReport& other : program.others) {
      all = all && other.layers[static_cast<std::size_t>(layer)];
    }
    family.Add({{"layer", std::string(process::Name(layer))}}, all ? 1 : 0);
  }
  family.AppendTo(families);
}

}  // namespace finwait::views::metrics
