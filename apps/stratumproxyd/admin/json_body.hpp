#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <stratumproxy/account.hpp>

#include "admin/http.hpp"
#include "admin/json.hpp"

namespace stratumproxyd {

/// Ends a request with an error; thrown by handlers, and caught where they are registered.
struct refusal {
  int status;
  std::string text;
};

/// The members of a request's body. Reading one takes it; what is left in the end is unknown. Everything throws refusal.
class json_body {
 public:
  explicit json_body(const http_request& request);
  /// One object of an array; `where` stands before names in errors.
  json_body(json_object members, std::string where) : members_(std::move(members)), where_(std::move(where)) {}

  [[nodiscard]] bool has(std::string_view name) const { return members_.contains(name); }

  std::string text(std::string_view name, std::size_t low, std::size_t high);
  std::optional<std::string> optional_text(std::string_view name, std::size_t high);
  std::optional<double> optional_divider(std::string_view name);
  /// Given without a value: null.
  std::optional<std::optional<double>> optional_divider_or_null(std::string_view name);
  std::optional<unsigned> optional_whole(std::string_view name, unsigned low, unsigned high);
  std::optional<bool> optional_flag(std::string_view name);
  std::optional<stratumproxy::link_mode> optional_mode();
  /// Given without a value: null.
  std::optional<std::optional<stratumproxy::link_mode>> optional_mode_or_null();
  std::optional<stratumproxy::verify_level> optional_verify();
  std::optional<stratumproxy::tls_mode> optional_tls();
  /// Of a certificate, as the tables have it; "" for none.
  std::optional<std::string> optional_fingerprint();
  std::vector<std::string> optional_texts(std::string_view name, std::size_t most);
  /// At least one.
  std::optional<std::vector<json_body>> optional_objects(std::string_view name, std::size_t most);

  /// Any number of them, also none.
  std::vector<json_body> objects_or_none(std::string_view name, std::size_t most);

  void finish() const;

 private:
  std::optional<json_value> take(std::string_view name);
  [[nodiscard]] refusal fault(std::string_view name, std::string_view what) const;

  json_object members_;
  std::string where_;
};

/// HOST:PORT in the form in which the tables have it. Throws refusal.
[[nodiscard]] std::string pool_name(const std::string& text);

}  // namespace stratumproxyd
