// What has happened, told afterwards: after the sockets are gone, after kill -9, after a restart.

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"
#include "tests/e2e/scene.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using lab::Eventually;
using nlohmann::json;

constexpr const char* kStuckTotal = "finwait_tcp_sockets_stuck_total{state=\"fin_wait_1\",cause=\"local_drop\"}";
constexpr const char* kStuckCreated = "finwait_tcp_sockets_stuck_created{state=\"fin_wait_1\",cause=\"local_drop\"}";

class IncidentsTest : public testing::Test {
 protected:
  IncidentsTest() {
    char folder[] = "/tmp/finwait_e2e_store_XXXXXX";
    folder_ = ::mkdtemp(folder);
    scene_.Local().Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  }
  ~IncidentsTest() override { std::filesystem::remove_all(folder_); }

  std::string StorageFlag() const { return "--storage.path=" + folder_.string(); }

  // Closes a connection that has lost its entry; where it began, as the report writes it.
  std::string LoseOne() {
    Ends ends = scene_.Open();
    std::string local = lab::LocalEndpoint(ends.local);
    scene_.LoseEntries();
    ends.local.Reset();
    peers_.push_back(std::move(ends.peer));
    return local;
  }

  lab::CommandOutput History(const std::string& since, const std::string& format = "text") const {
    auto output =
        scene_.Local().Command({lab::Program(), "check", "--since=" + since, "--format=" + format, StorageFlag()});
    EXPECT_EQ(output.err.find("refused system calls"), std::string::npos) << output.err;
    return output;
  }

  // Moves everything in the store an hour back.
  void LetAnHourPass() const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((folder_ / "incidents.db").c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database,
                           "UPDATE runs SET started = started - 3600000, last = last - 3600000;"
                           "UPDATE connections SET first = first - 3600000, last = last - 3600000",
                           nullptr, nullptr, nullptr),
              SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  static json IncidentsOf(const Program& program) { return json::parse(program.Get("/api/v1/incidents").body); }

  Scene scene_;
  std::vector<UniqueFd> peers_;
  std::filesystem::path folder_;
};

TEST_F(IncidentsTest, IsToldAnHourAfterKillMinusNineAndARestart) {
  std::string local;
  double counted = 0;
  {
    Program program(scene_.Local(), {StorageFlag()});
    local = LoseOne();
    ASSERT_TRUE(Eventually([&] { return program.Scrape()[kStuckTotal] >= 1; })) << program.Log();
    counted = program.Scrape()[kStuckTotal];
    ::kill(program.Pid(), SIGKILL);
    EXPECT_EQ(program.Terminate(), 128 + SIGKILL);
  }
  const auto now = History("5m");
  EXPECT_EQ(now.exit_code, 2) << now.out << now.err;
  EXPECT_NE(now.out.find(local), std::string::npos) << now.out;
  EXPECT_NE(now.out.find("got stuck (local_drop)"), std::string::npos) << now.out;
  EXPECT_NE(now.out.find("--ctstate INVALID -j DROP"), std::string::npos) << now.out;
  LetAnHourPass();
  EXPECT_EQ(History("30m").exit_code, 3) << "nobody watched in the last half hour";
  EXPECT_NE(History("2h").out.find("1 ended while nobody watched"), std::string::npos);

  // The sockets are gone, and with them all that one sample could tell.
  scene_.Local().Shell("iptables -F OUTPUT; ss -K state fin-wait-1 >/dev/null");
  ASSERT_TRUE(Eventually([&] { return scene_.Stuck() == 0; }));
  Program program(scene_.Local(), {StorageFlag()});
  const json told = IncidentsOf(program);
  ASSERT_EQ(told["incidents"].size(), 1U) << told;
  EXPECT_EQ(told["stored"], true);
  EXPECT_EQ(told["observed"].size(), 2U);
  EXPECT_EQ(told["incidents"][0]["cause"], "local_drop");
  EXPECT_EQ(told["incidents"][0]["rule"]["chain"], "OUTPUT");
  EXPECT_EQ(told["incidents"][0]["ongoing"], false);
  EXPECT_EQ(told["incidents"][0]["outcomes"]["unobserved"], 1);
  const auto history = History("2h", "json");
  EXPECT_EQ(history.exit_code, 2);
  EXPECT_EQ(json::parse(history.out)["incidents"][0]["examples"][0]["local"], local);

  const auto series =
      ParseSeries(program.Get("/metrics", {{"Accept", "application/openmetrics-text; version=1.0.0"}}).body);
  EXPECT_GE(series.at(kStuckTotal), counted) << "a counter goes on";
  EXPECT_NEAR(series.at("process_start_time_seconds") - series.at(kStuckCreated), 3600, 120)
      << "and says since when it counts";
}

TEST_F(IncidentsTest, ASocketThatOutlivesARestartIsOneRecordAndCountedOnce) {
  {
    Program program(scene_.Local(), {StorageFlag()});
    (void)LoseOne();
    ASSERT_TRUE(Eventually([&] { return program.Scrape()[kStuckTotal] == 1; })) << program.Log();
    ::kill(program.Pid(), SIGKILL);
    EXPECT_EQ(program.Terminate(), 128 + SIGKILL);
  }
  const Program program(scene_.Local(), {StorageFlag(), "--sampling.interval=1s"});
  (void)LoseOne();  // once that is counted, the first would be, too
  ASSERT_TRUE(Eventually([&] { return program.Scrape()[kStuckTotal] >= 2; })) << program.Log();
  EXPECT_EQ(program.Scrape()[kStuckTotal], 2);
  const json told = IncidentsOf(program);
  ASSERT_EQ(told["incidents"].size(), 1U) << told;
  EXPECT_EQ(told["incidents"][0]["connections"], 2);
  EXPECT_EQ(told["incidents"][0]["outcomes"]["ongoing"], 2);
}

TEST_F(IncidentsTest, AreServedWithoutAddressesAndKeptInMemoryByDefault) {
  const Program program(scene_.Local());
  EXPECT_EQ(IncidentsOf(program)["incidents"].size(), 0U);
  const std::string local = LoseOne();
  ASSERT_TRUE(Eventually([&] {
    const json told = IncidentsOf(program);
    return told["incidents"].size() == 1 && told["incidents"][0]["cause"] == "local_drop";
  })) << IncidentsOf(program);
  const std::string shown = program.Get("/api/v1/incidents").body + program.Get("/").body;
  EXPECT_EQ(shown.find(local), std::string::npos);
  EXPECT_EQ(shown.find("INVALID -j DROP"), std::string::npos);
  EXPECT_NE(shown.find("What has happened"), std::string::npos);
  EXPECT_EQ(IncidentsOf(program)["stored"], false);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(IncidentsTest, AreServedWithAddressesWhereDetailsAreAskedFor) {
  const Program program(scene_.Local(), {"--report.details"});
  const std::string local = LoseOne();
  EXPECT_TRUE(Eventually([&] { return program.Get("/api/v1/incidents").body.find(local) != std::string::npos; }));
}

TEST_F(IncidentsTest, AStoreThatCannotBeUsedIsOneSentence) {
  scene_.Local().Shell("echo nonsense nonsense nonsense > " + (folder_ / "incidents.db").string());
  const auto served = scene_.Local().Command({lab::Program(), StorageFlag()});
  EXPECT_EQ(served.exit_code, 2);
  EXPECT_NE((served.out + served.err).find("is damaged, or no store at all"), std::string::npos) << served.err;
  const auto read = History("2h");
  EXPECT_EQ(read.exit_code, 3);
  EXPECT_NE(read.err.find("is damaged, or no store at all"), std::string::npos) << read.err;
  const auto none = scene_.Local().Command({lab::Program(), "check", "--since=2h", "--storage.path=/nowhere"});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_NE(none.err.find("there is no store \"/nowhere\""), std::string::npos) << none.err;
}

TEST_F(IncidentsTest, AFullDiskStopsNothingAndIsSaid) {
  const std::string disk = (folder_ / "disk").string();
  // A mount of its own: it goes with the program.
  const std::string script = "mkdir " + disk + " && mount -t tmpfs -o size=256k none " + disk + " && exec " +
                             lab::Program() + " --namespaces=none --storage.path=" + disk + "/store.db";
  Program program(scene_.Local(), {"unshare", "-m", "sh", "-c", script}, Program::Whole());
  const std::string root = "/proc/" + std::to_string(program.Pid()) + "/root" + disk;
  scene_.Local().Shell("dd if=/dev/zero of=" + root + "/filler bs=1k count=1000 2>/dev/null || true");
  (void)LoseOne();
  ASSERT_TRUE(Eventually([&] { return program.Log().find("the store cannot be written") != std::string::npos; }))
      << program.Log();
  EXPECT_TRUE(Eventually([&] { return program.Scrape()[kStuckTotal] >= 1; }));
  EXPECT_EQ(IncidentsOf(program)["incidents"].size(), 1U);
  scene_.Local().Shell("rm " + root + "/filler");
  EXPECT_TRUE(Eventually([&] { return program.Log().find("the store is written again") != std::string::npos; }))
      << program.Log();
}

}  // namespace
}  // namespace finwait::e2e
