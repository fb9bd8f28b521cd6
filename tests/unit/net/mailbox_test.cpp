#include "net/mailbox.hpp"

#include <poll.h>

#include <memory>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "net/task.hpp"

using stratumproxy::net::mailbox;
using stratumproxy::net::task;

namespace {

bool is_readable(int descriptor) {
  pollfd wait{descriptor, POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

}  // namespace

TEST_CASE("a mailbox gives everything in the order in which it was posted") {
  mailbox<int> box;
  for (const int value : {1, 2, 3}) CHECK(box.post(value));
  std::vector<int> taken{99};
  box.take(taken);
  CHECK(taken == std::vector{1, 2, 3});
  box.take(taken);
  CHECK(taken.empty());
}

TEST_CASE("a mailbox's descriptor is readable exactly while there is mail") {
  mailbox<int> box;
  CHECK_FALSE(is_readable(box.descriptor()));
  CHECK(box.post(1));
  CHECK(box.post(2));
  CHECK(is_readable(box.descriptor()));
  std::vector<int> taken;
  box.take(taken);
  CHECK_FALSE(is_readable(box.descriptor()));
  CHECK(box.post(3));
  CHECK(is_readable(box.descriptor()));
}

TEST_CASE("a closed mailbox destroys what waits and what comes later") {
  mailbox<std::shared_ptr<int>> box;
  const auto waiting = std::make_shared<int>(1);
  const auto late = std::make_shared<int>(2);
  CHECK(box.post(waiting));
  box.close();
  CHECK(waiting.use_count() == 1);
  CHECK_FALSE(box.post(late));
  CHECK(late.use_count() == 1);
}

TEST_CASE("messages of many threads all arrive once, and each thread's in order") {
  constexpr int threads = 4;
  constexpr int each = 5'000;
  mailbox<std::pair<int, int>> box;
  std::vector<std::thread> posters;
  for (int poster = 0; poster < threads; ++poster) {
    posters.emplace_back([&box, poster] {
      for (int i = 0; i < each; ++i) (void)box.post({poster, i});
    });
  }
  std::vector<int> next(threads, 0);
  std::vector<std::pair<int, int>> taken;
  int received = 0;
  while (received < threads * each) {
    pollfd wait{box.descriptor(), POLLIN, 0};
    REQUIRE(::poll(&wait, 1, 10'000) == 1);  // a lost wake-up would end here
    box.take(taken);
    for (const auto& [poster, i] : taken) {
      REQUIRE(i == next[static_cast<std::size_t>(poster)]++);
      ++received;
    }
  }
  for (auto& poster : posters) poster.join();
  box.take(taken);
  CHECK(taken.empty());
}

TEST_CASE("a task carries what can only be moved, and is done with the given argument") {
  task<int> add([amount = std::make_unique<int>(5)](int& to) { to += *amount; });
  task<int> moved(std::move(add));
  int value = 1;
  moved(value);
  CHECK(value == 6);
}
