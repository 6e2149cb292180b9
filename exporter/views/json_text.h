#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace finwait::views {

/// The document as text, indented, with a newline at its end. All of it is ASCII: what names and comments have beyond
/// that is escaped, because a person reads a document in a terminal, too, and there some characters act (U+009B,
/// U+202E). What is not UTF-8 is replaced.
std::string JsonText(const nlohmann::ordered_json& document);

}  // namespace finwait::views
