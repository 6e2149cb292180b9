#include "collectors/kernel/namespaces/counter_lines.h"

#include <algorithm>

#include "collectors/base/text.h"

namespace finwait::kernel::namespaces {

std::string_view LineOf(std::string_view content, std::string_view start, std::size_t from, std::size_t& end) {
  std::size_t at = from;
  while (at < content.size()) {
    end = std::min(content.find('\n', at), content.size());
    if (content.substr(at).starts_with(start)) {
      return content.substr(at + start.size(), end - at - start.size());
    }
    at = end + 1;
  }
  end = content.size();
  return {};
}

void VisitCounters(std::string_view content, std::string_view group,
                   const std::function<void(std::string_view name, std::string_view value)>& visit) {
  std::size_t end = 0;
  Words names(LineOf(content, group, 0, end));
  Words values(LineOf(content, group, end, end));
  for (std::string_view name = names.Next(); !name.empty(); name = names.Next()) {
    visit(name, values.Next());
  }
}

}  // namespace finwait::kernel::namespaces
