#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/http.hpp"

namespace stratumproxyd {

/// The query parameters of a request. Reading one takes it; what is left in the end is unknown. Everything throws refusal.
class query_reader {
 public:
  explicit query_reader(const http_request& request);

  std::optional<std::string> text(std::string_view name);
  std::optional<std::int64_t> whole(std::string_view name, std::int64_t low, std::int64_t high);

  /// `known`: the names of those there are, for people.
  void finish(std::string_view known) const;

 private:
  std::vector<std::pair<std::string, std::string>> left_;
};

}  // namespace stratumproxyd
