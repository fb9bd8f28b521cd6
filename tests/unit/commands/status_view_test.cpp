#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "commands/status_view.hpp"

namespace {

using namespace stratumproxyd;

json_object object(std::string_view text) { return std::get<json_object>(parse_json_object(text)); }

status_answers answers(std::string_view workers) {
  return {object(R"({"version":"1.2","uptime_seconds":61,"tag":"t","stratum":"1.2.3.4:1","shards":1,"connections":3,"workers":3,
                     "kept_sessions":1,"hashrates":[{"hash":"scrypt","hashrate":2e9}],"bans":0,"database":"up","ready":true,
                     "open_descriptors":9,"descriptor_limit":99,"reloaded_at":null,"reload_error":""})"),
          object(R"({"links":[{"pool":"a:1","state":"live","workers":2},{"pool":"a:1","state":"waiting","workers":0},
                              {"pool":"b:2","state":"refused","workers":1}]})"),
          object(workers)};
}

constexpr std::string_view three_workers = R"({"workers":[
  {"worker":"1.1.1.1:1","user":"slow","rig":"r","pool":"a:1","up":true,"current":true,"hashrate":1,"difficulty":8,"accepted":1},
  {"worker":"1.1.1.1:2","user":"fast","rig":"","pool":"a:1","up":true,"current":true,"hashrate":5e9,"difficulty":8,"accepted":2,
   "last_share_seconds":3},
  {"worker":"1.1.1.1:3","user":"gone","rig":"","pool":"a:1","up":false,"current":true,"hashrate":9e9}]})";

}  // namespace

TEST_CASE("a daemon's answers become lines, the fastest workers first") {
  const auto lines = status_lines(answers(three_workers), "http://x:1", 20);
  REQUIRE(lines.size() == 13);
  CHECK(lines[0] == "stratumproxyd 1.2 at http://x:1: ready, up 1 min 1 s");
  CHECK(lines[1] == "miners at 1.2.3.4:1, tag t, 1 shard, database up, 9 of 99 descriptors");
  CHECK(lines[2] == "3 workers, 3 connections, 1 kept sessions, 0 bans");
  CHECK(lines[3] == "2.0 GH/s scrypt");
  CHECK(lines[5] == "POOL  LINKS  LIVE  WORKERS  STATE");
  CHECK(lines[6] == "a:1       2     1        2  live, some waiting");
  CHECK(lines[7] == "b:2       1     0        1  refused");
  CHECK(lines[10].starts_with("fast "));
  CHECK(lines[11].starts_with("slow.r "));
  CHECK(lines[12] == "and 1 more");
}

TEST_CASE("so many workers as fit, or none") {
  CHECK(status_lines(answers(three_workers), "", 1).back() == "and 2 more");
  CHECK(status_lines(answers(three_workers), "", 0).size() == 8);
}

TEST_CASE("what is wrong with the configuration is said") {
  auto shown = answers("{}");
  shown.status = object(R"({"reload_error":"x.toml:3: no","needs_restart":["stratum.addr","db.url"]})");
  const auto lines = status_lines(shown, "", 0);
  CHECK(lines[3] == "the last reload failed: x.toml:3: no");
  CHECK(lines[4] == "waits for a restart: stratum.addr, db.url");
}

TEST_CASE("a daemon of another version, or a hostile rig, does no harm") {
  CHECK(status_lines({}, "", 20).size() == 3);
  const auto lines = status_lines(answers(R"({"workers":[{"worker":1,"user":"u","rig":"\u001b[2J","up":true,"current":true,
                                              "accepted":-1,"hashrate":"x","last_share_seconds":"y"}]})"),
                                  "", 20);
  CHECK(lines[10].starts_with("u.?[2J "));
}
