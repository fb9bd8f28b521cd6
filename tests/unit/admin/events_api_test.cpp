#include <catch2/catch.hpp>

#include <string>

#include "served_api.hpp"

namespace {

using namespace stratumproxy::test;

const stratumproxy::log_event refused{.level = stratumproxy::log_level::warning, .event = "login_refused", .session = "01234567",
                                      .worker = {}, .account = "0123456789abcdef", .pool = "pool.example:3333", .detail = "<b>\"no\""};

}  // namespace

TEST_CASE("events are listed, oldest first, and only those after a number where one is given") {
  served_api web;
  CHECK(body_of(web.ask(get("/api/v1/events"))) == R"({"events":[],"next":0,"error":""})" "\n");
  web.events.add(refused, {}, 1'767'323'045'678);
  web.events.add({.event = "started"}, {}, 1'767'323'046'005);
  CHECK(body_of(web.ask(get("/api/v1/events"))) ==
        R"({"events":[{"seq":1,"time":"2026-01-02T03:04:05.678Z","level":"warning","event":"login_refused","session":"01234567",)"
        R"("account":"0123456789abcdef","pool":"pool.example:3333","detail":"<b>\"no\""},)"
        R"({"seq":2,"time":"2026-01-02T03:04:06.005Z","level":"info","event":"started"}],"next":2,"error":""})" "\n");
  CHECK(body_of(web.ask(get("/api/v1/events?after=1"))) ==
        R"({"events":[{"seq":2,"time":"2026-01-02T03:04:06.005Z","level":"info","event":"started"}],"next":2,"error":""})" "\n");
  CHECK(body_of(web.ask(get("/api/v1/events?after=2"))) == R"({"events":[],"next":2,"error":""})" "\n");
}

TEST_CASE("events need the token, and a number") {
  served_api closed("a-token-of-some-length");
  CHECK(closed.status(get("/api/v1/events")) == 401);
  CHECK(closed.status(get("/api/v1/events", "Authorization: Bearer a-token-of-some-length\r\n")) == 200);
  served_api web;
  for (const char* query : {"?after=", "?after=x", "?after=-1", "?after=1x", "?after=99999999999999999999", "?before=1", "?after=1&after=2"}) {
    INFO(query);
    CHECK(web.status(get(std::string("/api/v1/events") + query)) == 400);
  }
}
