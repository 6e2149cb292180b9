#include "exporter/report/report_text.h"

namespace finwait::report {

std::string Lasting(double seconds) {
  const ReadableDuration duration = InReadableUnit(seconds);
  return std::to_string(duration.number) + " " + std::string(duration.unit);
}

std::string KernelName(kernel::TcpState state) { return UpperCase(Name(state)); }

std::string_view FamilyText(IpFamily family) { return family == IpFamily::kIpv4 ? "IPv4" : "IPv6"; }

std::string HolderText(bool orphan, std::uint32_t uid) { return orphan ? "no process" : "uid " + std::to_string(uid); }

std::string OwnerName(const kernel::namespaces::Owner& owner) {
  return owner == kernel::namespaces::Owner() ? "owner not known" : owner.Text();
}

}  // namespace finwait::report
