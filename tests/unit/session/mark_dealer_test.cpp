#include <catch2/catch.hpp>

#include <set>
#include <string>

#include "session/mark_dealer.hpp"

using stratumproxy::session::mark_dealer;

TEST_CASE("marks are dealt in turn, the least used first") {
  mark_dealer dealer(1);
  std::set<std::string> seen;
  for (int i = 0; i < 256; ++i) CHECK(seen.insert(dealer.take()).second);
  CHECK(seen.contains("00"));
  CHECK(seen.contains("ff"));
  dealer.release("07");
  CHECK(dealer.take() == "07");
  CHECK(dealer.take().size() == 2);
}

TEST_CASE("marks of another length are dealt beside those in use, which may be given back") {
  mark_dealer dealer(1);
  std::string last;
  for (int i = 0; i < 200; ++i) last = dealer.take();
  CHECK(last == "c7");
  for (const unsigned bytes : {2u, 4u, 3u, 1u}) {
    dealer.set_bytes(bytes);
    std::set<std::string> seen;
    for (int i = 0; i < 50; ++i) {
      const auto mark = dealer.take();
      CHECK(mark.size() == 2 * bytes);
      CHECK(seen.insert(mark).second);
    }
  }
  dealer.release(last);
  for (int i = 0; i < 5; ++i) CHECK(dealer.take().size() == 2);
}
