#pragma once

#include "database.hpp"
#include "session_table.hpp"

namespace stratumproxyd {

/// As both databases hold it.
class sql_session_table final : public session_table {
 public:
  /// Borrowed.
  explicit sql_session_table(database& tables) : tables_(tables) {}

  void write(std::span<const stratumproxy::session_record> changed, std::span<const std::string> removed) override;
  std::vector<stratumproxy::session_record> claim(std::span<const std::string> ids) override;
  std::size_t prune() override;

 private:
  database& tables_;
};

}  // namespace stratumproxyd
