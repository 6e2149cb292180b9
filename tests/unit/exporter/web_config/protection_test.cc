// What is said of a change that the program cannot follow. In a child process, as there is no way out of a domain.

#include "exporter/web_config/protection.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "exporter/privilege/file_domain.h"
#include "tests/lab/certificates.h"
#include "tests/lab/temporary_folder.h"

namespace finwait::web_config {
namespace {

// What a change of `folder`'s configuration to a certificate in `other` is said to fail by, in the service's domain.
std::string SaidOfAnother(const lab::TemporaryFolder& folder, const lab::TemporaryFolder& other) {
  const std::string key = "  key_file: server.key\n";
  const std::string path = folder.Write("web.yml", "tls_server_config:\n  cert_file: server.crt\n" + key);
  std::string said;
  const auto protection =
      OpenProtection(path, [&said](const Result<void>& usable) { said = usable ? "usable" : usable.error().message; });
  if (!protection) {
    return protection.error().message;
  }
  // Of reading alone: the change is made in here.
  const auto domain = privilege::FileDomain::Enter(protection->folders, privilege::FileDomain::Scope::kReading);
  if (!domain) {
    return "no domain";
  }
  (void)folder.Write("web.yml", "tls_server_config:\n  cert_file: " + other.PathOf("server.crt") + "\n" + key);
  EXPECT_EQ(protection->tls->NewSession(), nullptr);
  return said;
}

TEST(ProtectionTest, ACertificateInAnotherFolderTakesARestart) {
  const lab::Certificate certificate = lab::MakeCertificate({.name = "server"});
  const lab::TemporaryFolder folder;
  const lab::TemporaryFolder other;
  (void)folder.Write("server.key", certificate.key_pem);
  (void)folder.Write("server.crt", certificate.pem);
  (void)other.Write("server.crt", certificate.pem);
  std::array<int, 2> pipe = {-1, -1};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const UniqueFd from(pipe[0]);
  UniqueFd to(pipe[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const std::string said = SaidOfAnother(folder, other);
    ::_exit(::write(to.Get(), said.data(), said.size()) < 0 ? 1 : 0);
  }
  to.Reset();
  std::array<char, 1024> text = {};
  const ssize_t got = ::read(from.Get(), text.data(), text.size());
  ::waitpid(pid, nullptr, 0);
  const std::string said(text.data(), static_cast<std::size_t>(got));
  if (said == "no domain") {
    GTEST_SKIP() << "this kernel has no Landlock";
  }
  EXPECT_EQ(said, "cannot read " + other.PathOf("server.crt") +
                      ": Permission denied; restart to use files in another folder");
}

}  // namespace
}  // namespace finwait::web_config
