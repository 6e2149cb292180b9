#include "tests/e2e/protected_program.h"

#include <crypt.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {

ProtectedProgram::ProtectedProgram() {
  const auto write = [this](const std::string& name, const lab::Certificate& certificate) {
    folder_.Write(name + ".crt", certificate.pem);
    folder_.Write(name + ".key", certificate.key_pem);
  };
  folder_.Write("ca.crt", authority_.pem);
  write("server", lab::MakeCertificate(
                      {.name = "server", .alternative_names = "IP:127.0.0.1,DNS:localhost", .issuer = &authority_}));
  write("client", lab::MakeCertificate({.name = "client", .alternative_names = kClientNames, .issuer = &authority_}));
  write("expired", lab::MakeCertificate({.name = "expired", .issuer = &authority_, .days_valid = -1}));
  write("stranger", lab::MakeCertificate({.name = "stranger", .alternative_names = "DNS:prometheus.example"}));
}

ProtectedProgram::~ProtectedProgram() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

const std::string& ProtectedProgram::HashOfSecret() {
  static const std::string hash = ::crypt("secret", "$2b$04$abcdefghijklmnopqrstuu");
  return hash;
}

void ProtectedProgram::Start(const std::string& web_config, const std::vector<std::string>& flags) {
  std::vector<std::string> arguments = {lab::Program(), lab::kOwnNamespaceOnly,
                                        "--web.config.file=" + folder_.Write("web.yml", web_config)};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  pid_ = where_.Spawn(arguments, folder_.PathOf("log"));
  constexpr int kCannotConnect = 7;
  if (!lab::Eventually([this] { return Get("/healthz", {}, "http").exit_code != kCannotConnect; })) {
    throw std::runtime_error("the program does not serve after 10 s: " + Log());
  }
}

void ProtectedProgram::Replace(const std::string& name, const std::string& content) const {
  std::filesystem::rename(folder_.Write(name + ".new", content), folder_.Path() / name);
}

ProtectedProgram::Reply ProtectedProgram::Get(const std::string& path, const std::vector<std::string>& arguments,
                                              const std::string& scheme) const {
  std::vector<std::string> command = {"curl", "-sS", "-i", "--max-time", "15", "--cacert", folder_.PathOf("ca.crt")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back(scheme + "://127.0.0.1:10061" + path);
  const lab::CommandOutput output = where_.Command(command);
  Reply reply{output.exit_code, 0, output.out, output.err};
  if (const std::size_t at = reply.text.find("HTTP/1.1 "); at == 0) {
    reply.status = std::stoi(reply.text.substr(9, 3));
  }
  return reply;
}

ProtectedProgram::Reply ProtectedProgram::GetAs(const std::string& client, const std::string& path) const {
  return Get(path, {"--cert", folder_.PathOf(client + ".crt"), "--key", folder_.PathOf(client + ".key")});
}

std::string ProtectedProgram::Handshake(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {"openssl", "s_client", "-brief", "-connect", "127.0.0.1:10061"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const lab::CommandOutput output = where_.Command(command);
  return output.out + output.err;
}

std::string ProtectedProgram::Log() const {
  std::ifstream file(folder_.PathOf("log"));
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::size_t ProtectedProgram::ResidentBytes(const std::string& field) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) {
      return std::stoul(line.substr(field.size() + 1)) * 1024;
    }
  }
  throw std::runtime_error("there is no " + field);
}

}  // namespace finwait::e2e
