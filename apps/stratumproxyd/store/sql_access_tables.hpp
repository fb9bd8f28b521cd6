#pragma once

#include "access_tables.hpp"
#include "database.hpp"

namespace stratumproxyd {

/// As both databases hold them. What a database could not keep as it is is refused with std::invalid_argument.
class sql_access_tables final : public access_tables {
 public:
  /// Borrowed.
  explicit sql_access_tables(database& tables) : tables_(tables) {}

  std::vector<token_row> tokens() override;
  bool add_token(const author& by, const token_row& token) override;
  token_removal remove_token(const author& by, std::string_view name, bool keep_an_admin) override;
  void touch_tokens(std::span<const std::string> names) override;
  void add_audit(const author& by, const change_note& what) override;
  std::vector<audit_entry> audit(const audit_query& wanted) override;
  std::size_t prune_audit(std::chrono::days kept) override;

 private:
  database& tables_;
};

}  // namespace stratumproxyd
