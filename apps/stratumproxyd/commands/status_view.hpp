#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "admin/json.hpp"

namespace stratumproxyd {

/// What a daemon says of itself, in the API's own objects.
struct status_answers {
  json_object status;
  json_object links;
  json_object workers;
};

/// For people: what it is and how it is, its pools, and its workers, those with the most hashrate first and `most_workers` of them.
[[nodiscard]] std::vector<std::string> status_lines(const status_answers& answers, const std::string& url,
                                                    std::size_t most_workers);

}  // namespace stratumproxyd
