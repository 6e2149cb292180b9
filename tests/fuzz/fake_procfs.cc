#include "tests/fuzz/fake_procfs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "collectors/base/unique_fd.h"

namespace finwait::fuzz {

FakeProcfs::FakeProcfs() {
  std::string path = (std::filesystem::temp_directory_path() / "finwait-fuzz-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) {
    throw std::runtime_error("mkdtemp " + path);
  }
  root_ = path;
  for (const char* folder : {"sys/net/netfilter", "sys/net/ipv4", "thread-self/net"}) {
    std::filesystem::create_directories(root_ / folder);
  }
}

FakeProcfs::~FakeProcfs() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

void FakeProcfs::Write(const std::filesystem::path& relative, std::string_view content) const {
  const UniqueFd file(::open((root_ / relative).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  while (file && !content.empty()) {
    const ssize_t written = ::write(file.Get(), content.data(), content.size());
    if (written <= 0) {
      break;
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!file || !content.empty()) {
    throw std::runtime_error("write " + (root_ / relative).string());
  }
}

const std::filesystem::path& OrdinaryProcfs() {
  static const FakeProcfs procfs;
  static const bool filled = [] {
    procfs.Write("sys/net/netfilter/nf_conntrack_count", "3\n");
    procfs.Write("sys/net/netfilter/nf_conntrack_max", "65536\n");
    procfs.Write("sys/net/netfilter/nf_conntrack_buckets", "65536\n");
    procfs.Write("sys/net/netfilter/nf_conntrack_tcp_timeout_established", "432000\n");
    procfs.Write("sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait", "60\n");
    procfs.Write("sys/net/netfilter/nf_conntrack_tcp_timeout_fin_wait", "120\n");
    procfs.Write("sys/net/netfilter/nf_conntrack_tcp_timeout_last_ack", "30\n");
    return true;
  }();
  (void)filled;
  return procfs.Root();
}

}  // namespace finwait::fuzz
