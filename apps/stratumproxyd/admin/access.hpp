#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/http.hpp"
#include "endpoint.hpp"

namespace stratumproxyd {

/// Who may ask what: the bearer token, and what keeps a web page in somebody's browser from asking in their place.
/// Thread: any.
class access_rules {
 public:
  /// `bound` is the address that is served; `hosts` are further names for it.
  access_rules(const endpoint& bound, std::vector<std::string> hosts);

  /// Empty: no token is needed.
  void set_token(std::string token);

  /// An answer when the request must not be served.
  [[nodiscard]] std::optional<http_response> check(const http_request& request) const;

 private:
  [[nodiscard]] bool is_known_host(std::string_view host) const;
  [[nodiscard]] bool has_token(std::string_view authorization) const;

  bool loopback_;
  std::vector<std::string> hosts_;
  mutable std::mutex mutex_;
  std::shared_ptr<const std::string> token_;
};

/// Reads a token: one line of 8 to 512 printable characters. Throws config_error, which never shows it.
[[nodiscard]] std::string read_token(const std::filesystem::path& file);

/// Whether others than the owner and the group may read the file.
[[nodiscard]] bool is_world_readable(const std::filesystem::path& file);

}  // namespace stratumproxyd
