#pragma once

#include <functional>
#include <optional>
#include <string>

#include "collectors/base/unique_fd.h"
#include "collectors/sources/namespace_settings.h"
#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// The process that enters other network namespaces, with --namespaces=enter (kernel/namespaces/opener.h). It is a
/// child of the process that reads the kernel, and ends with it. It keeps the capabilities that entering takes, and no
/// others.
class OpenerProcess {
 public:
  /// Starts it where `options` want it. To be called before the first thread, before anything is open that is not its
  /// business, and before privileges are given up.
  static OpenerProcess Start(const command_line::Options& options);

  /// This end of the channel to it; nothing where there is none.
  std::optional<int> Descriptor() const { return channel_ ? std::optional(channel_.Get()) : std::nullopt; }
  /// Puts the way in into `settings`, or why there is none. `adopt`: see kernel::namespaces::Entrance; null where the
  /// headers of requests are not sealed, as then nothing is entered. To be called once.
  void GiveTo(sources::NamespaceSettings& settings,
              std::function<Result<kernel::netlink::Channel>(int protocol, UniqueFd socket)> adopt);

 private:
  UniqueFd channel_;
  std::string why_not_;
};

}  // namespace finwait::exporter
