#include "handover/share_words.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace stratumproxyd;

namespace {

total_record example() {
  total_record row{"1b8e2f60a45d97c3", "pool.example:3333", "name with\nspaces", {}};
  row.shares.sent = 18'446'744'073'709'551'615u;
  row.shares.accepted = 2;
  row.shares.unknown = 3;
  row.shares.late = 4;
  row.shares.pool_accepted = 5;
  for (std::size_t i = 0; i < row.shares.rejected.size(); ++i) row.shares.rejected[i] = 100 + i;
  row.shares.sent_one = 0.1;
  row.shares.accepted_one = 1e-12;
  row.shares.pool_accepted_one = 123456789012345678.0;
  return row;
}

}  // namespace

TEST_CASE("share totals come back from their words as they were") {
  const auto row = example();
  const auto again = shares_of(to_words(row));
  REQUIRE(again);
  CHECK(again->account == row.account);
  CHECK(again->pool == row.pool);
  CHECK(again->algorithm == row.algorithm);
  CHECK(again->shares.sent == row.shares.sent);
  CHECK(again->shares.accepted == row.shares.accepted);
  CHECK(again->shares.unknown == row.shares.unknown);
  CHECK(again->shares.late == row.shares.late);
  CHECK(again->shares.pool_accepted == row.shares.pool_accepted);
  CHECK(again->shares.rejected == row.shares.rejected);
  CHECK(again->shares.sent_one == row.shares.sent_one);
  CHECK(again->shares.accepted_one == row.shares.accepted_one);
  CHECK(again->shares.pool_accepted_one == row.shares.pool_accepted_one);
}

TEST_CASE("other words are no share totals") {
  auto words = to_words(example());
  CHECK_FALSE(shares_of({}));
  CHECK_FALSE(shares_of(std::span(words).first(4)));
  CHECK_FALSE(shares_of(std::span(words).first(words.size() - 1)));
  CHECK_FALSE(shares_of(std::span(words).subspan(1)));
  words.push_back("1");
  CHECK_FALSE(shares_of(words));
  words.pop_back();
  for (const char* number : {"", "x", "1x", "-1", "18446744073709551616"}) {
    words[4] = number;
    CHECK_FALSE(shares_of(words));
  }
}
