#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "histogram.hpp"
#include "ledger.hpp"

namespace stratumload {

/// Results in the order they are shown: as a table for people, as one JSON object for scripts. Keys name their unit.
class figures {
 public:
  void add(std::string key, std::string label, std::uint64_t value);
  void add(std::string key, std::string label, double value, int decimals);
  void add(std::string key, std::string label, std::string value);
  void add(std::string key, std::string label, bool value);
  /// p50, p90, p99 and max in microseconds.
  void add_latency(std::string_view key, std::string_view label, const histogram& values);
  void add_audit(const audit& values);

  [[nodiscard]] std::string table() const;
  [[nodiscard]] std::string json() const;

 private:
  struct real {
    double value;
    int decimals;
  };
  struct row {
    std::string key, label;
    std::variant<std::uint64_t, real, std::string, bool> value;
  };
  std::vector<row> rows_;
};

}  // namespace stratumload
