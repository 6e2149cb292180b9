#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace comment {
namespace {

std::optional<OptionText> Text(const XtMatch& match, bool) {
  const std::string_view all(reinterpret_cast<const char*>(match.info.data()), match.info.size());
  return " --comment " + Quoted(all.substr(0, all.find('\0')));
}

constexpr Match kMatches[] = {
    {.name = "comment", .revisions = {0, 0}, .traits = {.is_remark = true}, .conditions = Always, .text = Text}};

}  // namespace
}  // namespace comment

Family families::Comment() { return {.matches = comment::kMatches}; }

}  // namespace finwait::firewall::xt
