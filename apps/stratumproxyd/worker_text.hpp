#pragma once

#include <string>
#include <string_view>

#include "worker_series.hpp"

namespace stratumproxyd {

/// The families of single workers in Prometheus' text format 0.0.4. They are nearly all of a large page, and prometheus-cpp takes a
/// quarter of a second for those of 10,000 workers: each label of each series is a string of its own there, each number a stream.
/// Here the labels of a worker are written once.
[[nodiscard]] std::string worker_text(std::string_view tag, const shown_workers& workers);

}  // namespace stratumproxyd
