#pragma once

#include <catch2/catch.hpp>

#include <rapidjson/document.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admin/access.hpp"
#include "admin/api.hpp"
#include "collecting_log.hpp"
#include "memory_store.hpp"
#include "raw_http.hpp"

namespace stratumproxy::test {

/// The whole API on a store in memory, behind the real server and, when `token` is not empty, behind a token.
struct served_api {
  memory_store database;
  collecting_log log;
  stratumproxyd::event_ring events{0};
  std::atomic<bool> ready{true};
  std::optional<std::string> page = "# a page\n";
  collecting_log changed;  ///< names of accounts
  metrics::snapshot now;
  std::atomic<bool> readable{true};  ///< the counters
  std::atomic<metrics::scope> asked{};  ///< of the last snapshot
  stratumproxyd::known_tokens tokens;
  stratumproxyd::operations live;  ///< set before the first request that needs them
  std::atomic<std::int64_t> time{1'767'323'045};  ///< 2026-01-02T03:04:05Z
  stratumproxyd::worker_history worker_rates;
  std::unique_ptr<stratumproxyd::access_rules> access;
  stratumproxyd::http_server server;

  explicit served_api(const std::string& token = "") {
    REQUIRE_FALSE(server.bind({"127.0.0.1", 0}));
    access = std::make_unique<stratumproxyd::access_rules>(server.address(), std::vector<std::string>{}, tokens);
    tokens.set_file_token(token);
    server.set_guard([this](stratumproxyd::http_request& request) { return access->check(request); });
    const auto note = [this](const std::string& name) {
      changed.write({.event = name, .session = {}, .worker = {}, .account = {}, .pool = {}, .detail = {}});
    };
    const auto snapshot = [this](metrics::scope what) {
      asked = what;
      return readable ? std::optional(now) : std::nullopt;
    };
    stratumproxyd::add_routes(server, {.database = database,
                                       .log = log,
                                       .tokens = tokens,
                                       .events = events,
                                       .on_changed = note,
                                       .stratum_address = [] { return "0.0.0.0:9332"; },
                                       .database_up = [this] { return !database.down; },
                                       .ready = [this] { return ready.load(); },
                                       .has_tag = [this] { return !database.taken; },
                                       .metrics = [this] { return page; },
                                       .snapshot = snapshot,
                                        .now = [this] { return stratumproxyd::moment(std::chrono::seconds(time)); },
                                       .worker_rates = worker_rates,
                                       .live = passed_on()});
    server.start();
    database.add_pool(tester, {.pool = "pool.example:3333", .algorithm = "sha256d", .divider = {}, .reconnect_hosts = {}, .source = {}});
    database.writes = 0;
    database.access_in_memory().forget_audit();
  }

  stratumproxyd::operations passed_on() {
    return {.disconnect = [this](const auto& worker, const auto& words) { return live.disconnect(worker, words); },
            .move_worker = [this](const auto& worker, auto to) { return live.move_worker(worker, std::move(to)); },
            .find_account = [this](const auto& name) { return live.find_account(name); },
            .bans_written = [this] { if (live.bans_written) live.bans_written(); },
            .status = [this] { return live.status(); },
            .reload = [this] { return live.reload(); }};
  }

  std::string ask(const std::string& request) { return raw_http(server.address().port).ask(request); }
  int status(const std::string& request) { return status_of(ask(request)); }
  int users(const std::string& body) { return status(post("/api/v1/users", body)); }
};

inline std::string user(const std::string& pool, const std::string& name = "wallet", const std::string& password = "x") {
  return R"({"pool":")" + pool + R"(","user":")" + name + R"(","password":")" + password + R"("})";
}

inline rapidjson::Document json_of(const std::string& answer) {
  rapidjson::Document json;
  const auto body = body_of(answer);
  json.Parse(body.c_str());
  REQUIRE(json.IsObject());
  return json;
}

/// The members of an answer; every answer to a write or with an error has both.
inline std::pair<std::string, std::string> name_and_error(const std::string& answer) {
  const auto json = json_of(answer);
  REQUIRE(json.HasMember("name"));
  REQUIRE(json.HasMember("error"));
  return {json["name"].GetString(), json["error"].GetString()};
}

}  // namespace stratumproxy::test
