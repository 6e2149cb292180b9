#include "exporter/diagnosis/drop_path.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

using firewall::eval::Disposition;

class DropPathTest : public testing::Test {
 protected:
  DropPathTest() {
    PathDispositions accepts;
    accepts.fill(Disposition::kAccept);
    diagnosis_.paths = {accepts, accepts};
    diagnosis_.conntrack_active = {true, true};
    diagnosis_.live.emplace();
  }
  Disposition& Of(IpFamily family, PathPacket packet) { return (*diagnosis_.paths)[family][Index(packet)]; }
  Diagnosis diagnosis_;
};

TEST_F(DropPathTest, IsThereWhereAnyClosingPacketOfAnActiveFamilyIsLost) {
  EXPECT_EQ(HasDropPath(diagnosis_), false);
  Of(IpFamily::kIpv6, PathPacket::kAck) = Disposition::kDrop;
  EXPECT_EQ(HasDropPath(diagnosis_), true);
  diagnosis_.conntrack_active[1] = false;
  EXPECT_EQ(HasDropPath(diagnosis_), false);
}

TEST_F(DropPathTest, WhereItIsNotKnownWhetherConntrackRunsItMay) {
  Of(IpFamily::kIpv4, PathPacket::kFin) = Disposition::kDrop;
  diagnosis_.conntrack_active[0].reset();
  EXPECT_EQ(HasDropPath(diagnosis_), true);
}

TEST_F(DropPathTest, ALiveSocketThatWouldStickIsEnough) {
  diagnosis_.live->any_would_stick = true;
  EXPECT_EQ(HasDropPath(diagnosis_), true);
  diagnosis_.paths.reset();
  EXPECT_EQ(HasDropPath(diagnosis_), true);
}

TEST_F(DropPathTest, IsUnknownWithoutRulesAndWhereWhatIsUnknownDecides) {
  diagnosis_.live->any_unknown = true;
  EXPECT_EQ(HasDropPath(diagnosis_), std::nullopt);
  diagnosis_.paths.reset();
  diagnosis_.live->any_unknown = false;
  EXPECT_EQ(HasDropPath(diagnosis_), std::nullopt);
}

}  // namespace
}  // namespace finwait::diagnosis
