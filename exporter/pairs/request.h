#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "collectors/base/result.h"
#include "exporter/pairs/target.h"

namespace finwait::pairs {

/// What came before the body.
struct AnswerHead {
  float age_seconds = 0;  ///< of the body, when it was sent (the field Age)
};

/// GETs from exporters, over HTTP or TLS, within bounds of time and size. Thread-safe.
class Requests {
 public:
  using TakePiece = std::function<bool(std::string_view)>;
  using TakeAge = std::function<void(float)>;

  /// `addresses`: of every name that will be asked; must outlive this.
  Requests(const std::map<std::string, Result<std::string>>& addresses, std::filesystem::path ca_file,
           std::chrono::seconds patience, std::chrono::seconds longest);
  ~Requests();
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;

  /// GETs `path` of the target's and hands the body of a 200 to `take` as it comes, until that returns false. Any other
  /// answer is an error, in words without a full stop. `take_age` is called before, with AnswerHead::age_seconds.
  Result<AnswerHead> Get(const Target& target, const std::string& path, std::size_t most_bytes, const TakePiece& take,
                         const TakeAge& take_age = nullptr) const;

 private:
  class Watch;
  const std::map<std::string, Result<std::string>>& addresses_;
  const std::filesystem::path ca_file_;
  const std::chrono::seconds patience_;
  const std::chrono::seconds longest_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace finwait::pairs
