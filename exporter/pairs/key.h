#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

#include "collectors/base/result.h"

namespace finwait::pairs {

/// The secret that the hosts of a fleet share: who has it can tell which two digests are of one connection.
class Key {
 public:
  static constexpr std::size_t kLeastBytes = 16;
  static constexpr std::size_t kMostBytes = 4096;

  /// The contents of `file` without blanks and line ends around them, as text and binary keys are taken alike.
  static Result<Key> Read(const std::filesystem::path& file);
  explicit Key(std::string secret) : secret_(std::move(secret)) {}

  const std::string& Secret() const { return secret_; }

 private:
  std::string secret_;
};

}  // namespace finwait::pairs
