#include "exporter/diagnosis/counter_ledger.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

TEST(CounterLedgerTest, AddsWhatEachRuleCountedSinceTheLastLook) {
  CounterLedger ledger;
  ledger.BeginLook();
  EXPECT_EQ(ledger.Advance("a", 5), 5U) << "what it had counted before the first look is part of the total";
  EXPECT_EQ(ledger.Advance("b", 0), 0U);
  ledger.EndLook();
  ledger.BeginLook();
  EXPECT_EQ(ledger.Advance("a", 7), 2U);
  EXPECT_EQ(ledger.Advance("b", 3), 3U);
  ledger.EndLook();
}

TEST(CounterLedgerTest, ACounterThatStartsAgainNeverTakesAnythingBack) {
  CounterLedger ledger;
  ledger.BeginLook();
  ledger.Advance("a", 100);
  ledger.EndLook();
  ledger.BeginLook();
  EXPECT_EQ(ledger.Advance("a", 4), 4U);
  ledger.EndLook();
}

TEST(CounterLedgerTest, ARuleThatVanishesIsForgottenAndOneThatComesBackIsNew) {
  CounterLedger ledger;
  ledger.BeginLook();
  ledger.Advance("a", 100);
  ledger.EndLook();
  ledger.BeginLook();
  ledger.EndLook();
  ledger.BeginLook();
  EXPECT_EQ(ledger.Advance("a", 110), 110U);
  ledger.EndLook();
}

}  // namespace
}  // namespace finwait
