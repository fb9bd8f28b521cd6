#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/http.hpp"

namespace stratumproxyd {

/// What is at which path. The path is matched as it is sent; one of a route's segments may be {name}, which stands for 1 to 300 visible
/// characters, also percent-encoded ones, of which / must be. Where GET is, HEAD is too. Threads may ask at once.
class http_routes {
 public:
  void add(const std::string& method, const std::string& path, http_handler handler, std::size_t body_bytes);

  /// Method and path of each, in the order in which they were added.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> list() const;
  /// How large a body may be that is sent there; `max_body_bytes` where nothing is.
  [[nodiscard]] std::size_t body_limit(std::string_view method, std::string_view path) const;
  /// 404 or 405; nothing where serve() has an answer.
  [[nodiscard]] std::optional<http_response> refuse(std::string_view method, std::string_view path) const;
  /// The handler's answer, which sees the parameter; nothing where refuse() has one.
  [[nodiscard]] std::optional<http_response> serve(http_request request) const;

 private:
  struct route {
    std::string method, path;
    http_handler handler;
    std::size_t body_bytes;

    [[nodiscard]] bool takes(std::string_view asked) const { return method == asked || (method == "GET" && asked == "HEAD"); }
  };
  std::vector<route> routes_;
};

}  // namespace stratumproxyd
