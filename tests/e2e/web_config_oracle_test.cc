// The web configuration against promtool, which reads it with exporter-toolkit's own code.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "exporter/web_config/protection.h"
#include "tests/lab/certificates.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"
#include "tests/lab/temporary_folder.h"

namespace finwait::e2e {
namespace {

std::string Indented(const std::string& text, const std::string& indent) {
  std::istringstream lines(text);
  std::string indented;
  for (std::string line; std::getline(lines, line);) {
    indented += indent + line + "\n";
  }
  return indented;
}

void ReplaceLine(std::string& text, const std::string& line, const std::string& by) {
  if (const std::size_t at = text.find(line + "\n"); at != std::string::npos) {
    text.replace(at, line.size() + 1, by);
  }
}

class WebConfigOracleTest : public testing::Test {
 protected:
  WebConfigOracleTest() {
    const lab::Certificate authority = lab::MakeCertificate({.name = "authority", .is_authority = true});
    const lab::Certificate server = lab::MakeCertificate({.name = "server", .issuer = &authority});
    const lab::Certificate other = lab::MakeCertificate({.name = "other"});
    pem_ = {{"ca.crt", authority.pem},
            {"server.crt", server.pem + authority.pem},
            {"server.key", server.key_pem},
            {"other.key", other.key_pem},
            {"both.pem", server.key_pem + server.pem},
            {"empty.crt", ""},
            {"garbled.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}};
    for (const auto& [name, content] : pem_) {
      folder_.Write(name, content);
    }
    where_.Shell("openssl pkcs8 -topk8 -in " + folder_.PathOf("server.key") + " -out " +
                 folder_.PathOf("encrypted.key") + " -passout pass:secret");
  }

  /// Copies the files of a fixture folder beside the certificates; their paths.
  std::vector<std::string> Take(const std::string& fixtures) const {
    std::vector<std::string> paths;
    for (const auto& entry :
         std::filesystem::directory_iterator(lab::SourceFolder() / "tests/fixtures/web_config" / fixtures)) {
      std::ifstream file(entry.path());
      std::string text((std::istreambuf_iterator<char>(file)), {});
      for (const auto& [name, content] : pem_) {
        ReplaceLine(text, "@" + name + "@", Indented(content, "    "));
      }
      paths.push_back(folder_.Write(entry.path().filename().string(), text));
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  /// Whether promtool takes each file.
  /// Nothing of a version that the files were not sorted by: newer ones know more keys and fewer cipher suites.
  std::map<std::string, bool> Oracle(const std::vector<std::string>& paths) const {
    if (where_.Shell("promtool --version 2>&1").find("version 2.42.") == std::string::npos) {
      return {};
    }
    std::vector<std::string> command = {"promtool", "check", "web-config"};
    command.insert(command.end(), paths.begin(), paths.end());
    const lab::CommandOutput output = where_.Command(command);
    std::map<std::string, bool> verdicts;
    for (const std::string& path : paths) {
      const bool success = output.err.find(path + " SUCCESS\n") != std::string::npos ||
                           output.out.find(path + " SUCCESS\n") != std::string::npos;
      const bool failed = (output.err + output.out).find(path + " FAILED: ") != std::string::npos;
      EXPECT_NE(success, failed) << path << "\n" << output.out << output.err;
      verdicts[path] = success;
    }
    return verdicts;
  }

  /// What is wrong with a file; "" for nothing.
  static std::string Ours(const std::string& path) {
    const auto protection = web_config::OpenProtection(path, [](const Result<void>&) {});
    return protection ? "" : protection.error().message;
  }

  void ExpectTaken(const std::vector<std::string>& paths) const {
    EXPECT_FALSE(paths.empty());
    for (const std::string& path : paths) {
      EXPECT_EQ(Ours(path), "") << path;
    }
  }

  /// Refused with one sentence that names the file.
  void ExpectRefused(const std::vector<std::string>& paths) const {
    EXPECT_FALSE(paths.empty());
    for (const std::string& path : paths) {
      const std::string sentence = Ours(path);
      EXPECT_NE(sentence.find(path), std::string::npos) << path << ": " << sentence;
      EXPECT_EQ(sentence.find('\n'), std::string::npos) << path << ": " << sentence;
      RecordProperty(std::filesystem::path(path).stem().string(), sentence);
      if (std::getenv("FINWAIT_SHOW") != nullptr) {
        std::cerr << sentence << "\n";
      }
    }
  }

  lab::Namespace where_;
  lab::TemporaryFolder folder_;
  std::map<std::string, std::string> pem_;
};

TEST_F(WebConfigOracleTest, WhatItTakesIsTaken) {
  const auto paths = Take("good");
  for (const auto& [path, taken] : Oracle(paths)) {
    EXPECT_TRUE(taken) << path;
  }
  ExpectTaken(paths);
}

TEST_F(WebConfigOracleTest, WhatItRefusesIsRefusedInOneSentence) {
  const auto paths = Take("bad");
  for (const auto& [path, taken] : Oracle(paths)) {
    EXPECT_FALSE(taken) << path;
  }
  ExpectRefused(paths);
}

// Debian's promtool is older than these keys, so it cannot say which of these files are right.
TEST_F(WebConfigOracleTest, TheKeysThatAreNewerThanTheOracleAreKnown) {
  const auto good = Take("newer/good");
  const auto bad = Take("newer/bad");
  for (const auto& paths : {good, bad}) {
    for (const auto& [path, taken] : Oracle(paths)) {
      EXPECT_FALSE(taken) << path << ": the oracle knows this key now, so move the file";
    }
  }
  ExpectTaken(good);
  ExpectRefused(bad);
}

TEST_F(WebConfigOracleTest, WhatCanNotWorkIsRefusedAlthoughTheOracleTakesIt) {
  const auto paths = Take("stricter");
  for (const auto& [path, taken] : Oracle(paths)) {
    EXPECT_TRUE(taken) << path;
  }
  ExpectRefused(paths);
}

}  // namespace
}  // namespace finwait::e2e
