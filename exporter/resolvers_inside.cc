#include "exporter/resolvers_inside.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/firewall/read/legacy_reader.h"

namespace finwait::exporter {
namespace {

// The real one asks in this process's own namespace.
class NoLegacyKernel : public firewall::read::LegacyKernel {
 public:
  Result<firewall::read::LegacyTableInfo> GetInfo(firewall::TableFamily, const std::string&) override {
    return NotRead();
  }
  Result<std::vector<std::byte>> GetEntries(firewall::TableFamily, const std::string&, std::uint32_t) override {
    return NotRead();
  }

 private:
  static Failure NotRead() {
    return Fail(FailureReason::kUnsupported, "iptables-legacy is not read in other network namespaces");
  }
};

}  // namespace

diagnosis::ResolverIn ResolversInside(const sources::NamespaceSettings& settings) {
  if (settings.entrance == nullptr) {
    return nullptr;
  }
  return [hosts = settings.entrance->hosts, groups = std::make_shared<firewall::read::HostGroups>()](
             std::uint64_t network_namespace) -> std::shared_ptr<firewall::facts::Resolver> {
    auto host = hosts->Find(network_namespace);
    return host ? std::make_shared<firewall::read::FactResolver>(std::move(*host), std::make_shared<NoLegacyKernel>(),
                                                                 firewall::read::ReaderLimits(), groups)
                : nullptr;
  };
}

}  // namespace finwait::exporter
