#include "exporter/incidents/recorder.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include "tests/unit/exporter/incidents/samples.h"

namespace finwait::incidents {
namespace {

using diagnosis::Cause;

TEST(RecorderTest, AStuckConnectionIsOneRecordFromItsCloseToItsEnd) {
  Recorder recorder;
  const auto site = SiteAt(7);
  recorder.Update(DiagnosisAt(10, {Stuck(443, std::nullopt)}));
  recorder.Update(DiagnosisAt(15, {Stuck(443, Cause::kLocalDrop, site, 5)}));
  recorder.Update(DiagnosisAt(20, {Stuck(443, Cause::kLocalDrop, SiteAt(7), 7)}));
  ASSERT_EQ(recorder.Records().size(), 1U);
  const Record& record = recorder.Records()[0];
  EXPECT_EQ(record.first, At(7)) << "its tries tell that it was closed before it was seen";
  EXPECT_EQ(record.last, At(20));
  EXPECT_EQ(record.outcome, Outcome::kOngoing);
  EXPECT_EQ(record.cause, Cause::kLocalDrop);
  EXPECT_EQ(*record.site, *site);
  EXPECT_EQ(record.peer.Text(), "192.0.2.2:443");
  recorder.Update(DiagnosisAt(25, {}));
  EXPECT_EQ(recorder.Records()[0].outcome, Outcome::kGaveUp);
  EXPECT_EQ(recorder.Records()[0].last, At(20));
}

TEST(RecorderTest, ASocketThatGoesBeforeItsTriesAreUsedUpHasEnded) {
  Recorder recorder;
  recorder.Update(DiagnosisAt(10, {Stuck(443, Cause::kLocalDrop, nullptr, 3)}));
  recorder.Update(DiagnosisAt(15, {}));
  EXPECT_EQ(recorder.Records()[0].outcome, Outcome::kEnded);
}

TEST(RecorderTest, NothingEndsWhileTheSocketsCannotBeRead) {
  Recorder recorder;
  recorder.Update(DiagnosisAt(10, {Stuck(443, Cause::kLocalDrop)}));
  diagnosis::Diagnosis unavailable = DiagnosisAt(15, {});
  unavailable.stuck.reset();
  recorder.Update(unavailable);
  EXPECT_EQ(recorder.Records()[0].outcome, Outcome::kOngoing);
}

TEST(RecorderTest, LostResetsOfOneMinuteAreOneRecord) {
  Recorder recorder;
  const auto lost = [&](std::int64_t seconds, std::uint64_t resets) {
    diagnosis::Diagnosis diagnosis = DiagnosisAt(seconds, {});
    diagnosis.resets_lost = resets;
    recorder.Update(diagnosis);
  };
  lost(0, 0);
  lost(10, 2);
  lost(20, 2);
  lost(30, 5);
  lost(200, 6);
  ASSERT_EQ(recorder.Records().size(), 2U);
  EXPECT_EQ(recorder.Records()[0].kind, Kind::kReset);
  EXPECT_EQ(recorder.Records()[0].connections, 5U);
  EXPECT_EQ(recorder.Records()[0].last, At(30));
  EXPECT_EQ(recorder.Records()[1].connections, 1U);
}

TEST(RecorderTest, ALostResetThatTheWitnessNamesHasARecordOfItsOwn) {
  Recorder recorder;
  const auto site = SiteAt(7);
  using kernel::namespaces::Owner;
  diagnosis::DroppedPacket owned = *ResetOf(443, 8, site);
  owned.owner = std::make_shared<const Owner>(Owner{kernel::namespaces::OwnerKind::kUnit, "", "web.service", ""});
  diagnosis::Diagnosis diagnosis = DiagnosisAt(10, {});
  diagnosis.resets_lost = 2;
  diagnosis.witness.emplace();
  diagnosis.witness->new_resets = {std::make_shared<const diagnosis::DroppedPacket>(owned),
                                   ResetOf(80, 9, nullptr, true, witness::ReasonClass::kRoute)};
  recorder.Update(diagnosis);
  ASSERT_EQ(recorder.Records().size(), 2U);
  const Record& named = recorder.Records()[0];
  EXPECT_EQ(named.kind, Kind::kReset);
  EXPECT_EQ(named.outcome, Outcome::kCounted);
  EXPECT_EQ(named.first, At(8));
  EXPECT_EQ(named.last, At(8));
  EXPECT_EQ(named.local.Text(), "192.0.2.1:40000");
  EXPECT_EQ(named.peer.Text(), "192.0.2.2:443");
  EXPECT_EQ(named.cause, Cause::kLocalDrop);
  ASSERT_NE(named.site, nullptr);
  EXPECT_EQ(*named.site, *site);
  ASSERT_NE(named.owner, nullptr);
  EXPECT_EQ(*named.owner, "unit web.service");
  EXPECT_EQ(recorder.Records()[1].cause, Cause::kLocalError) << "no rule of this host's";
  EXPECT_EQ(recorder.TakeChanges().size(), 2U);

  diagnosis = DiagnosisAt(15, {});
  diagnosis.resets_lost = 5;
  recorder.Update(diagnosis);
  ASSERT_EQ(recorder.Records().size(), 3U) << "without the witness they are counted apart from the named ones";
  EXPECT_EQ(recorder.Records()[2].connections, 3U);
  EXPECT_FALSE(recorder.Records()[2].HasEnds());
  diagnosis.resets_lost = 6;
  recorder.Update(diagnosis);
  EXPECT_EQ(recorder.Records()[2].connections, 4U);
}

TEST(RecorderTest, ChangesAreTheNewTheToldAndTheEnded) {
  Recorder recorder;
  recorder.Update(DiagnosisAt(0, {Stuck(1, std::nullopt), Stuck(2, Cause::kNoReply)}));
  EXPECT_EQ(recorder.TakeChanges().size(), 2U);
  recorder.Update(DiagnosisAt(5, {Stuck(1, Cause::kLocalDrop), Stuck(2, Cause::kNoReply)}));
  auto changes = recorder.TakeChanges();
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].cause, Cause::kLocalDrop);
  EXPECT_TRUE(changes[1].counted);
  recorder.Update(DiagnosisAt(10, {Stuck(1, Cause::kLocalDrop), Stuck(2, Cause::kNoReply)}));
  EXPECT_EQ(recorder.TakeChanges().size(), 1U);
  recorder.Update(DiagnosisAt(15, {Stuck(1, Cause::kLocalDrop), Stuck(2, Cause::kNoReply)}));
  EXPECT_TRUE(recorder.TakeChanges().empty()) << "that a record goes on is no change worth a write";
  recorder.Update(DiagnosisAt(75, {Stuck(1, Cause::kLocalDrop), Stuck(2, Cause::kNoReply)}));
  EXPECT_EQ(recorder.TakeChanges().size(), 2U) << "but once a minute";
  recorder.Update(DiagnosisAt(80, {Stuck(1, Cause::kLocalDrop)}));
  changes = recorder.TakeChanges();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].outcome, Outcome::kEnded);
}

TEST(RecorderTest, RestoredRecordsGoOnOrEndedUnobserved) {
  std::vector<Record> restored = {RecordOf(5, 0, 10), RecordOf(9, 0, 10), RecordOf(12, 0, 10)};
  restored[0].outcome = restored[1].outcome = Outcome::kOngoing;
  restored[0].local = *Endpoint::Parse("192.0.2.1:40000");
  restored[0].peer = *Endpoint::Parse("192.0.2.2:443");
  Recorder recorder(restored);
  recorder.Update(DiagnosisAt(60, {Stuck(443, Cause::kLocalDrop), Stuck(80, Cause::kLocalDrop)}));
  ASSERT_EQ(recorder.Records().size(), 4U);
  EXPECT_EQ(recorder.Records()[0].id, 5U);
  EXPECT_EQ(recorder.Records()[0].outcome, Outcome::kOngoing);
  EXPECT_EQ(recorder.Records()[0].last, At(60));
  EXPECT_EQ(recorder.Records()[1].outcome, Outcome::kUnobserved);
  EXPECT_EQ(recorder.Records()[1].last, At(10));
  EXPECT_EQ(recorder.Records()[2].outcome, Outcome::kGaveUp);
  EXPECT_EQ(recorder.Records()[3].id, 13U) << "no id is used twice";
}

TEST(RecorderTest, ARecordIsCountedOnceTwoSamplesAgreeOnItsCause) {
  Recorder recorder;
  recorder.Update(DiagnosisAt(0, {Stuck(1, Cause::kNoReply), Stuck(2, std::nullopt)}));
  EXPECT_FALSE(recorder.Records()[0].counted);
  recorder.Update(DiagnosisAt(5, {Stuck(1, Cause::kLocalDrop), Stuck(2, std::nullopt)}));
  EXPECT_FALSE(recorder.Records()[0].counted);
  (void)recorder.TakeChanges();
  recorder.Update(DiagnosisAt(10, {Stuck(1, Cause::kLocalDrop), Stuck(2, std::nullopt)}));
  EXPECT_TRUE(recorder.Records()[0].counted);
  EXPECT_FALSE(recorder.Records()[1].counted);
  EXPECT_EQ(recorder.TakeChanges().size(), 1U);
}

TEST(RecorderTest, WhoseTheSocketWasStaysWithItsRecord) {
  Recorder recorder;
  std::vector<diagnosis::StuckSocket> stuck = {Stuck(1, Cause::kLocalDrop), Stuck(2, Cause::kLocalDrop)};
  using kernel::namespaces::Owner;
  for (diagnosis::StuckSocket& one : stuck) {
    one.owner = std::make_shared<const Owner>(Owner{kernel::namespaces::OwnerKind::kUnit, "", "web.service", ""});
  }
  recorder.Update(DiagnosisAt(0, stuck));
  stuck[0].owner = nullptr;
  recorder.Update(DiagnosisAt(5, stuck));
  ASSERT_NE(recorder.Records()[0].owner, nullptr);
  EXPECT_EQ(*recorder.Records()[0].owner, "unit web.service");
  EXPECT_EQ(recorder.Records()[0].owner, recorder.Records()[1].owner) << "one text for all";
}

TEST(RecorderTest, TheNewestTenThousandStayInLessThanFourMegabytes) {
  Recorder recorder;
  const std::size_t before = ::mallinfo2().uordblks;
  constexpr std::uint64_t kEach = 500;
  for (std::uint64_t round = 0; round < 24; ++round) {
    std::vector<diagnosis::StuckSocket> stuck;
    for (std::uint64_t i = 0; i < kEach; ++i) {
      const std::uint64_t number = round * kEach + i;
      // A rule of its own for each, with a long text: the worst case.
      stuck.push_back(
          Stuck(static_cast<std::uint16_t>(number + 1), Cause::kLocalDrop, SiteAt(number, std::string(4000, 'r'))));
      stuck.back().owner = std::make_shared<const kernel::namespaces::Owner>(kernel::namespaces::Owner{
          kernel::namespaces::OwnerKind::kPod, "shop", std::to_string(number) + std::string(240, 'o'), ""});
    }
    recorder.Update(DiagnosisAt(static_cast<std::int64_t>(round) * 5, std::move(stuck)));
    (void)recorder.TakeChanges();
  }
  recorder.Update(DiagnosisAt(1000, {}));
  (void)recorder.TakeChanges();
  EXPECT_EQ(recorder.Records().size(), Recorder::kMostRecords);
  EXPECT_EQ(recorder.Records().front().id, 2001U);
  EXPECT_LT(::mallinfo2().uordblks - before, 4U << 20);
}

}  // namespace
}  // namespace finwait::incidents
