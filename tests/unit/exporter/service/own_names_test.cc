#include "exporter/service/own_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace finwait::service {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(OwnNamesTest, TheCanonicalNameOfAShortOneIsInTheHostsFile) {
  EXPECT_THAT(OwnNames({"node1",
                        "127.0.0.1 localhost\n"
                        "192.0.2.9 other.example.com other # node1\n"
                        "127.0.1.1\tNode1.example.org. node1 www\n",
                        ""}),
              UnorderedElementsAre("NODE1", "NODE1.EXAMPLE.ORG", "WWW"));
}

TEST(OwnNamesTest, EachDomainThatIsSearchedHasItsOwn) {
  EXPECT_THAT(OwnNames({"node1", "", "nameserver 192.0.2.1\n# search no.example\nsearch example.org. lab.example .\n"}),
              UnorderedElementsAre("NODE1", "NODE1.EXAMPLE.ORG", "NODE1.LAB.EXAMPLE"));
  EXPECT_THAT(OwnNames({"node1", "", "domain example.net"}), UnorderedElementsAre("NODE1", "NODE1.EXAMPLE.NET"));
}

TEST(OwnNamesTest, ALongNameHasItsShortOne) {
  EXPECT_THAT(OwnNames({"node1.example.org", "192.0.2.1 node1 db.example.org", "search example.net"}),
              UnorderedElementsAre("NODE1.EXAMPLE.ORG", "NODE1", "DB.EXAMPLE.ORG", "NODE1.EXAMPLE.NET"));
}

TEST(OwnNamesTest, AHostWithoutANameHasNone) {
  EXPECT_THAT(OwnNames({"", "127.0.0.1 localhost", "search example.org"}), IsEmpty());
}

}  // namespace
}  // namespace finwait::service
