#include <catch2/catch.hpp>

#include <rapidjson/document.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "event_log.hpp"
#include "event_text.hpp"
#include "line_quota.hpp"

namespace {

using namespace stratumproxyd;
using namespace std::chrono_literals;
using stratumproxy::log_event;

log_event event(std::string_view detail) {
  return {.level = stratumproxy::log_level::info, .event = "worker_left", .session = "01234567", .worker = "10.0.0.1:5", .account = {},
          .pool = "pool.example:3333", .detail = detail};
}

}  // namespace

TEST_CASE("an event is one line of keys and values") {
  CHECK(event_as_text(event("gone")) == "worker_left session=01234567 worker=10.0.0.1:5 pool=pool.example:3333 detail=gone");
  CHECK(event_as_text(event("")) == "worker_left session=01234567 worker=10.0.0.1:5 pool=pool.example:3333");
  CHECK(event_as_text(event("a b")).ends_with(" detail=\"a b\""));
  CHECK(event_as_text(event("a=b")).ends_with(" detail=\"a=b\""));
}

TEST_CASE("nothing that a peer says can begin a new line or leave its quotes") {
  const std::string hostile = "x\" worker=evil\r\n2026 error \\ \x1b[31m \x7f \xc2\x85 \xe2\x80\xa8 \xff \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82";
  const auto text = event_as_text(event(hostile));
  CHECK(text.find('\n') == std::string::npos);
  CHECK(text.find('\r') == std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.ends_with(R"( detail="x\" worker=evil\u000d\u000a2026 error \\ \u001b[31m \u007f \ufffd\ufffd \ufffd\ufffd\ufffd \ufffd \ufffd\ufffd )"
                       R"(\ufffd\ufffd\ufffd \ufffd\ufffd\ufffd\ufffd \ufffd\ufffd")"));

  rapidjson::Document json;
  const auto object = "{" + event_as_json(event(hostile)) + "}";
  json.Parse<rapidjson::kParseValidateEncodingFlag>(object.c_str());
  REQUIRE(json.IsObject());
  CHECK(json.MemberCount() == 5);
  CHECK(std::string(json["event"].GetString()) == "worker_left");
  CHECK(std::string(json["detail"].GetString()).starts_with("x\" worker=evil\r\n2026 error \\ "));
}

TEST_CASE("text of other scripts stays readable") {
  CHECK(event_as_text(event("g\u00fcltig")).ends_with(" detail=\"g\u00fcltig\""));
  CHECK(event_as_text(event("\u9b5a\U0001f41f")).ends_with(" detail=\"\u9b5a\U0001f41f\""));
}

TEST_CASE("a field is cut to a bounded length") {
  CHECK(event_as_text(event(std::string(1'000'000, 'x'))).size() < 1'200);
}

TEST_CASE("a source that floods is held to its allowance and others are not") {
  line_quota quota;
  const stratumproxy::time_point start{};
  int admitted = 0;
  for (int i = 0; i < 10'000; ++i) admitted += quota.admit("parse_error", "10.0.0.1", start);
  CHECK(admitted == 30);
  CHECK(quota.admit("parse_error", "10.0.0.2", start));
  CHECK(quota.admit("worker_left", "10.0.0.1", start));
  CHECK(quota.admit("parse_error", "10.0.0.1", start + 1s));
  CHECK_FALSE(quota.admit("parse_error", "10.0.0.1", start + 1s));

  std::vector<std::string> told;
  const auto tell = [&](std::string_view name, std::string_view source, std::uint64_t count) {
    told.push_back(std::string(name) + ' ' + std::string(source) + ' ' + std::to_string(count));
  };
  quota.sweep(start + 1s, tell);
  CHECK(told.empty());
  quota.sweep(start + 2s, tell);
  CHECK(told == std::vector<std::string>{"parse_error 10.0.0.1 9971"});
}

TEST_CASE("an hour of flood from one source stays below five mebibytes") {
  line_quota quota;
  const stratumproxy::time_point start{};
  std::size_t bytes = 0;
  const auto line = event_as_text(event(std::string(1'000, 'x'))).size() + 40;
  for (int second = 0; second < 3'600; ++second)
    for (int i = 0; i < 100; ++i)
      if (quota.admit("parse_error", "10.0.0.1", start + std::chrono::seconds(second))) bytes += line;
  CHECK(bytes > 0);
  CHECK(bytes < 5 * 1'048'576);
}

TEST_CASE("the table of sources is bounded, and idle ones are forgotten") {
  line_quota quota;
  const stratumproxy::time_point start{};
  for (std::size_t i = 0; i < line_quota::max_sources; ++i) REQUIRE(quota.admit("e", std::to_string(i), start));
  int admitted = 0;
  for (int i = 0; i < 1'000; ++i) admitted += quota.admit("e", "new" + std::to_string(i), start);
  CHECK(admitted == 30);  // they share one allowance
  quota.sweep(start + 100s, [](auto, auto, auto) {});
  admitted = 0;
  for (int i = 0; i < 1'000; ++i) admitted += quota.admit("e", "new" + std::to_string(i), start + 100s);
  CHECK(admitted == 1'000);
}

TEST_CASE("a standard error that nobody reads holds nobody up, and what waits is written in the end") {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  REQUIRE(::fcntl(pipe[1], F_SETPIPE_SZ, 4'096) >= 4'096);
  const int real = ::dup(STDERR_FILENO);
  REQUIRE(::dup2(pipe[1], STDERR_FILENO) >= 0);
  ::close(pipe[1]);

  std::string got;
  std::thread reader;
  {
    event_log log({});
    for (int i = 0; i < 1'000; ++i) log.write(stratumproxy::log_level::info, "event" + std::to_string(i), std::string(100, 'x'));
    // Only now, after all of it, somebody reads.
    reader = std::thread([&] {
      std::array<char, 4'096> bytes{};
      for (ssize_t count = 0; (count = ::read(pipe[0], bytes.data(), bytes.size())) > 0;)
        got.append(bytes.data(), static_cast<std::size_t>(count));
    });
  }
  ::dup2(real, STDERR_FILENO);  // the last writing end of the pipe is closed
  ::close(real);
  reader.join();
  ::close(pipe[0]);
  CHECK(got.find(" event0 ") != std::string::npos);
  CHECK(got.find(" event999 ") != std::string::npos);
}

TEST_CASE("events from info on are kept for the page, whatever the level of the log") {
  log_config settings;
  settings.level = stratumproxy::log_level::error;
  event_log log(settings);
  log.write(event("kept"));
  log.write(stratumproxy::log_level::debug, "too_fine", "");
  log.write(stratumproxy::log_level::warning, "pool_down", "");
  const auto kept = log.recent().after(0);
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].members.find("\"detail\":\"kept\"") != std::string::npos);
  CHECK(kept[1].members == R"("event":"pool_down")");
  CHECK(kept[1].level == stratumproxy::log_level::warning);
}
