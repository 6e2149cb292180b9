// Headers of the standard library and of tl::expected that most files include: see finwait_precompile. Every file still
// includes what it uses.

// Of what both define, the kernel's linux/in.h leaves out what it has read here, not the other way round.
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
