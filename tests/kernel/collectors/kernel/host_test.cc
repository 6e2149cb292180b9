#include "collectors/kernel/host.h"

#include <gtest/gtest.h>

#include "tests/lab/namespace.h"

namespace finwait::kernel {
namespace {

TEST(Host, NamesTheNamespaceOfTheThreadThatAsks) {
  const lab::Namespace first;
  const lab::Namespace second;
  for (const lab::Namespace* where : {&first, &second}) {
    Result<Host> host;
    where->Run([&] { host = OpenHost("/proc"); });
    ASSERT_TRUE(host);
    // Asked from outside: readlink prints "net:[INODE]".
    const std::string named = where->Shell("readlink /proc/self/ns/net");
    EXPECT_EQ("net:[" + std::to_string(host->network_namespace.inode) + "]\n", named);
  }
}

TEST(Host, SaysThatADirectoryIsNotAProcfs) {
  const Result<Host> host = OpenHost("/nonexistent");
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().message,
            "--path.procfs=/nonexistent: cannot read thread-self/ns/net there: No such file or directory; give the "
            "directory where procfs is mounted, such as /proc");
}

}  // namespace
}  // namespace finwait::kernel
