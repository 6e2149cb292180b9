#include "exporter/views/bug_report.h"

#include <sys/utsname.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "collectors/base/ip.h"
#include "collectors/sources/witness.h"
#include "exporter/views/json.h"
#include "exporter/views/json_text.h"

namespace finwait::views {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kReplacement = "ADDRESS";

bool MayBeOfAnAddress(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}
bool IsWordCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// The length of the address at the start of `run`, of which all characters may be an address's; 0: there is none. A
// full stop or a colon behind it ends a sentence or begins a port.
std::size_t AddressLength(std::string_view run) {
  for (std::size_t length = run.size(); length >= 2; --length) {
    const std::string_view candidate = run.substr(0, length);
    if (IpAddress::Parse(std::string(candidate)) &&
        (length == run.size() || run[length] == '.' || run[length] == ':')) {
      return length;
    }
  }
  return 0;
}

// Leaves numbers, keys and the form as they are.
void Clean(Json& json) {
  if (json.is_string()) {
    json = WithoutAddresses(json.get<std::string>());
  } else if (json.is_structured()) {
    for (auto& part : json) {
      Clean(part);
    }
  }
}

// Why there is nothing of the kernel's own word in the report, and what to do for it; "" where there is.
std::string WhatNoWitnessTells(const scheduling::Snapshot& snapshot) {
  const scheduling::CollectorStatus* status = snapshot.Status<sources::WitnessSample>();
  if (status == nullptr) {
    return "which packets the kernel dropped, where and why is not in this report: nobody witnessed it. Start the "
           "service "
           "with --collector.witness (Linux 5.17 or newer with BTF, CAP_BPF and CAP_PERFMON), let it happen again, and "
           "take what its /api/v1/report?format=bug answers; `check` has no witness, as it looks once";
  }
  if (snapshot.Find<sources::WitnessSample>() != nullptr) {
    return "";
  }
  return "which packets the kernel dropped, where and why is not in this report: " +
         (status->errors.empty() ? "the collector witness has not finished its first collection"
                                 : status->errors.front().message);
}

}  // namespace

std::string RunningKernel() {
  utsname system = {};
  return ::uname(&system) == 0 ? std::string(system.sysname) + " " + system.release + " " + system.machine : "unknown";
}

std::string WithoutAddresses(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool begins = MayBeOfAnAddress(text[at]) && (at == 0 || !IsWordCharacter(text[at - 1]));
    const auto run_end = std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), MayBeOfAnAddress);
    const std::string_view run = text.substr(at, static_cast<std::size_t>(run_end - text.begin()) - at);
    const std::size_t length = begins ? AddressLength(run) : 0;
    if (length > 0) {
      out += kReplacement;
      at += length;
    } else {
      out += text[at++];
    }
  }
  return out;
}

std::string BugReport(const report::Report& report, const std::string& kernel) {
  Json inside = Json::parse(ReportJson(report, Details::kHide));
  Clean(inside);
  const std::string missing = WhatNoWitnessTells(*report.diagnosis->snapshot);
  const Json json = {{"bug_report", 1},
                     {"version", FINWAIT_VERSION},
                     {"kernel", kernel},
                     {"no_witness", missing.empty() ? Json(nullptr) : Json(WithoutAddresses(missing))},
                     {"report", inside}};
  return JsonText(json);
}

}  // namespace finwait::views
