#include "exporter/views/json_text.h"

namespace finwait::views {

std::string JsonText(const nlohmann::ordered_json& document) {
  return document.dump(2, ' ', /*ensure_ascii=*/true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace finwait::views
