#include <catch2/catch.hpp>

#include <rapidjson/document.h>

#include <string>

#include "event_ring.hpp"

namespace {

using namespace stratumproxyd;
using namespace std::chrono_literals;
using stratumproxy::log_event;
using stratumproxy::log_level;
using stratumproxy::time_point;

log_event event(std::string_view name, std::string_view worker = "10.0.0.1:5", std::string_view detail = {}) {
  return {.level = log_level::info, .event = name, .session = {}, .worker = worker, .account = {}, .pool = {}, .detail = detail};
}

}  // namespace

TEST_CASE("events are numbered, and those after a number are given oldest first") {
  event_ring ring(100);
  CHECK(ring.after(0).empty());
  for (const char* name : {"first", "second", "third"}) ring.add(event(name), time_point{}, 5);
  const auto all = ring.after(0);
  REQUIRE(all.size() == 3);
  CHECK(all[0].seq == 101);
  CHECK(all[0].time == 5);
  CHECK(all[0].members == R"("event":"first","worker":"10.0.0.1:5")");
  REQUIRE(ring.after(102).size() == 1);
  CHECK(ring.after(102)[0].seq == 103);
  CHECK(ring.after(103).empty());
}

TEST_CASE("who knows a number that was not given yet is told everything") {
  event_ring ring(100);
  ring.add(event("first"), time_point{}, 0);
  CHECK(ring.after(5'000).size() == 1);
}

TEST_CASE("the events of a later process have higher numbers") {
  event_ring before;
  for (int i = 0; i < 1'000; ++i) before.add(event(std::to_string(i)), time_point{}, 0);
  const auto last = before.after(0).back().seq;
  CHECK(last > 1'700'000'000'000'000);
  CHECK(last < 9'007'199'254'740'992);  // a script's numbers are exact up to there
}

TEST_CASE("no more than so many are kept, the newest") {
  event_ring ring(0);
  for (std::size_t i = 0; i < event_ring::capacity + 10; ++i) ring.add(event("e", std::to_string(i) + ":1"), time_point{}, 0);
  const auto kept = ring.after(0);
  REQUIRE(kept.size() == event_ring::capacity);
  CHECK(kept.front().seq == 11);
  CHECK(kept.back().seq == event_ring::capacity + 10);
}

TEST_CASE("a source that says the same all the time does not push out the others") {
  event_ring ring(0);
  ring.add(event("pool_down", ""), time_point{}, 0);
  for (int i = 0; i < 2'000; ++i) ring.add(event("login_failed", std::string("10.0.0.1:").append(std::to_string(i))), time_point{} + 1s, 0);
  CHECK(ring.after(0).size() == 31);
  CHECK(ring.after(0).front().members == R"("event":"pool_down")");
  ring.add(event("started", ""), time_point{} + 60s, 0);
  const auto told = ring.after(0);
  REQUIRE(told.size() == 33);
  CHECK(told[31].level == log_level::warning);
  CHECK(told[31].members == R"("event":"events_left_out","detail":"1970 more of login_failed from 10.0.0.1")");
}

TEST_CASE("whatever a peer says, an event is well-formed and short") {
  event_ring ring(0);
  ring.add(event("pool_message", "", std::string("<b>\"\\\n\x01\xff").append(100'000, 'x')), time_point{}, 0);
  const auto text = std::string("{").append(ring.after(0)[0].members).append("}");
  CHECK(text.size() < 2'000);
  rapidjson::Document json;
  json.Parse<rapidjson::kParseValidateEncodingFlag>(text.c_str());
  REQUIRE_FALSE(json.HasParseError());
  CHECK(std::string(json["detail"].GetString()).starts_with("<b>\"\\\n\x01\xef\xbf\xbdxxx"));
}
