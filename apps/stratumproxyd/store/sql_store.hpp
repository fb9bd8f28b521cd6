#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "database.hpp"
#include "sql_access_tables.hpp"
#include "sql_session_table.hpp"
#include "store.hpp"

namespace stratumproxyd {

/// The tables as both databases hold them. All statements carry their values as parameters; a text that a database could not
/// keep as it is (too long, NUL, not UTF-8) is refused with std::invalid_argument before it gets there, or not found.
class sql_store final : public store {
 public:
  explicit sql_store(std::unique_ptr<database> tables);

  std::shared_ptr<const stratumproxy::account> find_account(std::string_view name) override;
  registration register_user(const author& by, std::span<const route_record> routes,
                             std::optional<stratumproxy::link_mode> mode) override;
  std::optional<user_record> user(std::string_view name) override;
  registration change_user(const author& by, std::string_view name, const user_change& change) override;
  registration remove_user(const author& by, std::string_view name, std::optional<std::uint64_t> if_revision) override;
  std::vector<user_record> users(const user_filter& which) override;
  void note_seen(std::span<const std::string> names, moment now) override;
  std::vector<std::string> remove_unseen(const author& by, moment since, const std::set<std::string, std::less<>>& live,
                                         std::size_t most) override;
  std::map<std::string, std::uint64_t> revisions(std::span<const std::string> names) override;
  std::unique_ptr<change_feed> changes() override;
  std::vector<stratumproxy::algorithm::info> algorithms() override;
  write_outcome add_algorithm(const author& by, const stratumproxy::algorithm::info& value) override;
  std::vector<pool_record> pools() override;
  write_outcome add_pool(const author& by, const pool_record& value) override;
  std::vector<ban_record> bans() override;
  std::uint64_t bans_revision() override;
  write_outcome add_ban(const author& by, const ban_record& value) override;
  bool remove_ban(const author& by, std::string_view subject) override;
  registration change_pool(const author& by, std::string_view pool, const pool_edit& edit) override;
  registration remove_pool(const author& by, std::string_view pool,
                           const std::function<void(const pool_record&)>& check) override;
  registration change_algorithm(const author& by, std::string_view name, const algorithm_edit& edit) override;
  registration remove_algorithm(const author& by, std::string_view name,
                                const std::function<void(const stratumproxy::algorithm::info&)>& check) override;
  import_result import_tables(const author& by, const table_import& rows) override;
  void hold_tag(std::string_view tag) override;
  void release_tag(std::string_view tag) override;
  /// When it throws, the deltas may be in the tables or not; totals() then tells, for it waits out (throws
  /// store_unavailable during) a transaction whose end is not decided yet. One writer a tag.
  void add_totals(std::string_view tag, std::span<const total_record> deltas, moment now) override;
  std::vector<total_record> totals(std::string_view tag) override;
  access_tables& access() override { return access_; }
  session_table& sessions() override { return sessions_; }
  std::vector<history_point> history(const history_filter& which) override;
  void tend_history(moment now, std::chrono::hours keep) override;
  void ping() override;

 private:
  database& tables_of(const std::string& tag);
  void require_settled(sql_session& session, const std::string& tag);

  std::unique_ptr<database> tables_;
  sql_access_tables access_{*tables_};
  sql_session_table sessions_{*tables_};
  std::mutex totals_mutex_;
  std::map<std::string, std::unique_ptr<database>> held_;  // tag -> the tables for its holder
  std::map<std::string, std::string> in_doubt_;  // tag -> mark of a transaction that may yet commit
};

}  // namespace stratumproxyd
