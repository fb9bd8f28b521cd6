#include <catch2/catch.hpp>

#include <chrono>
#include <string>

#include "served_api.hpp"

namespace {

using namespace stratumproxy::test;
using stratumproxyd::moment;

constexpr std::int64_t hour_begin = 1'767'322'800;
constexpr std::int64_t time_of_test = hour_begin + 245;

moment at(std::int64_t seconds) { return moment(std::chrono::seconds(seconds)); }

void work(served_api& web, std::int64_t when, std::uint64_t accepted) {
  stratumproxyd::total_record row{"a", "pool.example:3333", "sha256d", {}};
  row.shares.sent = accepted + 3;
  row.shares.accepted = accepted;
  row.shares.rejected[2] = 2;
  row.shares.unknown = 1;
  row.shares.accepted_one = static_cast<double>(accepted);
  web.database.add_totals("tag", std::vector{row}, at(when));
}

struct web_with_time : served_api {
  web_with_time() { time = time_of_test; }
  rapidjson::Document history(const std::string& query) { return json_of(ask(get("/api/v1/history?" + query))); }
};

}  // namespace

TEST_CASE("the history is a point a step, with zeros where nothing was") {
  web_with_time web;
  work(web, hour_begin - 600, 30);
  work(web, hour_begin + 10, 49);
  const auto from = std::to_string(hour_begin - 600), to = std::to_string(hour_begin + 1);
  CHECK(
      body_of(web.ask(get("/api/v1/history?from=" + from + "&to=" + to + "&step=300"))) ==
      R"({"from":1767322200,"to":1767323100,"step":300,"series":[)"
      R"({"start":1767322200,"sent":33,"accepted":30,"rejected":2,"unknown":1,"difficulty_one_accepted":30,"hashrate":429496729.6},)"
      R"({"start":1767322500,"sent":0,"accepted":0,"rejected":0,"unknown":0,"difficulty_one_accepted":0,"hashrate":0},)"
      // of which 245 s have passed
      R"({"start":1767322800,"sent":52,"accepted":49,"rejected":2,"unknown":1,"difficulty_one_accepted":49,"hashrate":858993459.2}],)"
      R"("error":""})"
      "\n");
}

TEST_CASE("without times the last day is shown, and steps are as fine as what is kept") {
  web_with_time web;
  const auto day = web.history("");
  CHECK(day["to"].GetInt64() >= time_of_test);
  CHECK(day["step"].GetInt64() == 300);
  CHECK(day["series"].Size() == 289);
  CHECK(web.history("step=1")["step"].GetInt64() == 300);
  CHECK(web.history("step=301")["step"].GetInt64() == 600);
  CHECK(web.history("from=" + std::to_string(time_of_test - 40 * 3'600))["step"].GetInt64() == 900);
  const auto week = web.history("from=" + std::to_string(time_of_test - 7 * 86'400));
  CHECK(week["step"].GetInt64() == 3'600);
  CHECK(week["series"].Size() == 169);
  const auto old = web.history("from=" + std::to_string(time_of_test - 3 * 86'400) +
                               "&to=" + std::to_string(time_of_test - 2 * 86'400) + "&step=300");
  CHECK(old["step"].GetInt64() == 3'600);
  CHECK(web.history("from=0")["series"].Size() <= 301);
}

TEST_CASE("the history of an account, a pool and an algorithm is asked for by their names") {
  web_with_time web;
  web.history("user=a&pool=POOL.example:3333&algorithm=SHA256&from=1767322801");
  CHECK(web.database.asked_history.account == "a");
  CHECK(web.database.asked_history.pool == "pool.example:3333");
  CHECK(web.database.asked_history.algorithm == "sha256d");
  CHECK(web.database.asked_history.from == at(hour_begin));
  CHECK(web.database.asked_history.to == at(hour_begin + 300));
  web.history("");
  CHECK_FALSE(web.database.asked_history.account);
}

TEST_CASE("at most two thousand points are shown") {
  web_with_time web;
  const auto from = [](std::int64_t points) { return "step=3600&from=" + std::to_string(hour_begin + 3'600 - points * 3'600); };
  CHECK(web.history(from(2'000))["series"].Size() == 2'000);
  CHECK(web.status(get("/api/v1/history?" + from(2'001))) == 400);
  CHECK(web.status(get("/api/v1/history?worker=r&user=a&step=60&from=1767200000")) == 400);
}

TEST_CASE("the history of a worker has its hashrate by the minute") {
  web_with_time web;
  stratumproxy::metrics::snapshot taken;
  auto& row = taken.workers.emplace_back();
  row.account = "a";
  row.rig = "rig 1";
  for (int minute = -2; minute <= 3; ++minute) {
    row.hashrate = 10 * (minute + 3);
    web.worker_rates.add(taken, at(hour_begin + 60 * minute + 7));
  }
  CHECK(
      body_of(web.ask(get("/api/v1/history?user=a&worker=rig%201&from=" + std::to_string(hour_begin)))) ==
      R"({"from":1767322800,"to":1767323040,"step":60,"series":[{"start":1767322800,"hashrate":30},{"start":1767322860,"hashrate":40},)"
      R"({"start":1767322920,"hashrate":50},{"start":1767322980,"hashrate":60}],"error":""})"
      "\n");
  const auto whole = web.history("user=a&worker=rig+1");
  CHECK(whole["series"].Size() == 180);
  CHECK(whole["series"][175].FindMember("hashrate")->value.GetDouble() == 20);
  const auto coarse = web.history("user=a&worker=rig+1&step=300&from=" + std::to_string(hour_begin));
  CHECK(coarse["series"][0]["hashrate"].GetDouble() == 45);  // of the four minutes that are over
  CHECK(web.history("user=b&worker=rig+1")["series"][179]["hashrate"].GetDouble() == 0);
  const auto early = web.history("user=a&worker=rig+1&from=" + std::to_string(hour_begin) + "&to=" + std::to_string(hour_begin + 600));
  CHECK(early["series"].Size() == 4);  // not of minutes that are not over
  CHECK(web.history("user=a&worker=rig+1&from=0&step=31622400")["series"].Size() == 56);
}

TEST_CASE("queries for a history that mean nothing are refused") {
  web_with_time web;
  for (const std::string query :
       {"users=a", "from=x", "from=-1", "to=0", "from=5&to=5", "from=6&to=5", "step=0", "step=-300", "step=1e3", "pool=nowhere",
        "worker=rig", "worker=rig&user=a&pool=pool.example:3333", "from=1&from=2", "from=253402300800", "step=99999999"}) {
    CAPTURE(query);
    CHECK(web.status(get("/api/v1/history?" + query)) == 400);
  }
  web.database.down = true;
  CHECK(web.status(get("/api/v1/history")) == 503);
  served_api closed("a-good-token");
  CHECK(closed.status(get("/api/v1/history")) == 401);
}
