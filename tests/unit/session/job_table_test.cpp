#include <catch2/catch.hpp>

#include <string>

#include "session/job_table.hpp"

using namespace stratumproxy::session;

namespace {

constexpr worker_id nobody{}, first{1}, second{2};

void add(job_table& jobs, std::uint64_t id, const std::string& pad, worker_id only_for = nobody) {
  auto& form = jobs.add_form(id);
  form.pad = pad;
  form.only_for = only_for;
  form.difficulty = 8;
}

}  // namespace

TEST_CASE("A job is found by the id of each of its forms") {
  job_table jobs;
  jobs.add().pool_id = "a";
  add(jobs, 10, "00");
  add(jobs, 12, "01");
  jobs.add().pool_id = "b";
  add(jobs, 15, "00");
  CHECK(jobs.find(10).job->pool_id == "a");
  CHECK(jobs.find(12).job->pool_id == "a");
  CHECK(jobs.find(12).form->pad == "01");
  CHECK(jobs.find(15).job->pool_id == "b");
  CHECK_FALSE(jobs.find(11));
  CHECK_FALSE(jobs.find(16));
  CHECK(jobs.is_newest(15));
  CHECK_FALSE(jobs.is_newest(12));
}

TEST_CASE("The oldest job leaves with all its forms, and its shares are forgotten") {
  job_table jobs;
  std::uint64_t id = 100;
  for (std::size_t job = 0; job < job_table::capacity; ++job) {
    jobs.add().pool_id = std::to_string(job);
    add(jobs, id++, "00");
    add(jobs, id++, "01");
  }
  CHECK(jobs.find(100).job->seen.insert(7));
  CHECK_FALSE(jobs.find(101).job->seen.insert(7));
  auto& newest = jobs.add();
  newest.pool_id = "newest";
  CHECK_FALSE(jobs.find(100));
  CHECK_FALSE(jobs.find(101));
  CHECK(jobs.find(102).job->pool_id == "1");
  add(jobs, id, "00");
  CHECK(jobs.find(id).job->pool_id == "newest");
  CHECK(jobs.find(id).job->seen.insert(7));
}

TEST_CASE("Workers of one pad have one form; a job that was sent again is one worker's alone") {
  job_table jobs;
  (void)jobs.add();
  add(jobs, 1, "00");
  add(jobs, 2, "07", first);
  REQUIRE(jobs.common_form("00", 8, 0) != nullptr);
  CHECK(jobs.common_form("00", 8, 0)->id == 1);
  CHECK(jobs.common_form("07", 8, 0) == nullptr);
  CHECK(jobs.common_form("00", 16, 0) == nullptr);
  CHECK(jobs.common_form("00", 8, 0x1000) == nullptr);
  CHECK(jobs.own_forms(first) == 1);
  CHECK(jobs.own_forms(second) == 0);

  jobs.take_over(first, second);
  CHECK(jobs.own_forms(second) == 1);
  CHECK(jobs.find(2).form->only_for == second);

  (void)jobs.add();
  CHECK(jobs.common_form("00", 8, 0) == nullptr);
  CHECK(jobs.own_forms(second) == 0);
}
