#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "admin/api.hpp"
#include "admin/http.hpp"
#include "config.hpp"
#include "event_log.hpp"
#include "store/store.hpp"

namespace stratumproxyd {

/// For the audit log: "command line, user alice".
[[nodiscard]] std::string command_line_actor();
/// In place of the address of a client.
inline constexpr std::string_view command_line_address = "local";

/// Throws std::runtime_error when the database is an SQLite file that is not there: only who means to makes one.
void require_database(const config& settings);

/// The database as commands use it, with a daemon at work on it or not. What is changed goes through the handlers of the HTTP
/// API, in this process: one set of rules, texts and audit entries. A daemon hears of it as of everybody's changes.
class local_tables {
 public:
  /// Throws std::runtime_error with one line.
  explicit local_tables(const config& settings);

  [[nodiscard]] store& tables() { return *store_; }

  using handler = http_response (*)(const api_context&, const http_request&);
  /// The body of the answer. Throws command_refused with the answer's error. `parameter`: the name in the route's path.
  std::string ask(handler what, std::string body, std::string parameter = {});

 private:
  event_log log_;
  std::unique_ptr<store> store_;
  known_tokens tokens_;
  worker_history rates_;
};

}  // namespace stratumproxyd
