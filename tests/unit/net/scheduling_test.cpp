#include <catch2/catch.hpp>

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "stratumproxy/scheduling.hpp"

namespace {

// Of the calling thread. `slice`: nanoseconds, 0 on a kernel that has none.
struct standing {
  int nice = 0, policy = 0;
  std::uint64_t slice = 0;
  bool operator==(const standing&) const = default;
};

standing mine() {
  struct {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
  } now{};  // the kernel's sched_attr
  ::syscall(SYS_sched_getattr, 0, &now, sizeof now, 0);
  return {::getpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid))), ::sched_getscheduler(0), now.runtime};
}

std::uint64_t slice_where_known(const standing& before, std::uint64_t wanted) { return before.slice != 0 ? wanted : 0; }

}  // namespace

TEST_CASE("a thread that stands back is behind, and no other one") {
  const auto before = mine();
  standing after;
  std::thread([&] {
    stratumproxy::stand_back();
    after = mine();
  }).join();
  CHECK(after == standing{std::min(before.nice + 10, 19), before.policy, slice_where_known(before, 20'000'000)});
  CHECK(mine() == before);
}

TEST_CASE("a thread that takes short turns keeps its priority and policy") {
  const auto before = mine();
  standing after;
  std::thread([&] {
    stratumproxy::take_short_turns();
    after = mine();
  }).join();
  CHECK(after == standing{before.nice, before.policy, slice_where_known(before, 100'000)});
}

TEST_CASE("a busy thread that paces itself gives its core away") {
  const auto given_away = [] {
    rusage used{};
    ::getrusage(RUSAGE_THREAD, &used);
    return used.ru_nvcsw;
  };
  const auto before = given_away();
  long calls = 0;
  for (; given_away() == before && calls < 100'000'000; ++calls) stratumproxy::pace();
  CHECK(given_away() > before);
}

TEST_CASE("what is cleared at a pace is empty") {
  std::vector<std::string> rows(1'000, "a row that is too long to be kept within the string");
  stratumproxy::clear_at_pace(rows);
  CHECK(rows.empty());
  std::map<int, std::string> named{{1, "one"}, {2, "two"}};
  stratumproxy::clear_at_pace(named);
  CHECK(named.empty());
}
