#include "change_notes.hpp"

#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <stratumproxy/dialect.hpp>

#include "audit_rows.hpp"
#include "link_rules.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::algorithm::info;

/// "first; second"
class phrases {
 public:
  void add(const std::string& phrase) { text_.append(text_.empty() ? "" : "; ").append(phrase); }
  void add_if(bool wanted, const std::string& phrase) {
    if (wanted) add(phrase);
  }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

// Where the hashrate went, and whose it is.
template <class Routes>
std::string in_words(const Routes& routes) {
  std::string out;
  for (const auto& route : routes) {
    out.append(out.empty() ? "" : ", ").append(route.pool).append(" ").append(route.user);
    if (route.weight > 0) out.append(" weight ").append(std::to_string(route.weight));
    // Of a change: or nobody would see that it was one.
    if constexpr (requires { route.password.has_value(); }) out.append(route.password ? " password given" : "");
  }
  return out;
}

std::string list(const char* what, const std::vector<std::string>& values) {
  return values.empty() ? fmt::format("no {}", what) : fmt::format("{} {}", what, fmt::join(values, " "));
}

std::string flag(const char* what, bool value) { return fmt::format("{} {}", what, value ? "on" : "off"); }

std::string differences(const pool_record& before, const pool_record& after) {
  phrases out;
  out.add_if(before.algorithm != after.algorithm, "algorithm " + after.algorithm);
  out.add_if(before.divider != after.divider, after.divider ? fmt::format("divider {}", *after.divider) : "divider of the algorithm");
  out.add_if(before.login_template != after.login_template, "login template " + after.login_template);
  out.add_if(before.reconnect_hosts != after.reconnect_hosts, list("reconnect hosts", after.reconnect_hosts));
  out.add_if(before.mode != after.mode, fmt::format("mode {}", name(after.mode)));
  out.add_if(before.verify != after.verify, fmt::format("verify {}", name(after.verify)));
  out.add_if(before.vardiff != after.vardiff, flag("vardiff", after.vardiff));
  out.add_if(before.fixed_difficulty != after.fixed_difficulty, flag("fixed difficulty", after.fixed_difficulty));
  out.add_if(before.rig_logins != after.rig_logins, flag("rig logins", after.rig_logins));
  out.add_if(before.tls != after.tls, fmt::format("tls {}{}{}", name(after.tls.mode), after.tls.fingerprint.empty() ? "" : " ",
                                                  after.tls.fingerprint));
  return std::move(out).text();
}

std::string differences(const info& before, const info& after) {
  phrases out;
  out.add_if(before.divider != after.divider, fmt::format("divider {}", after.divider));
  out.add_if(before.speaks != after.speaks, fmt::format("dialect {}", stratumproxy::name(after.speaks)));
  out.add_if(before.coinb1_index != after.coinb1_index, fmt::format("coinb1_index {}", after.coinb1_index));
  out.add_if(before.aliases != after.aliases, list("aliases", after.aliases));
  return std::move(out).text();
}

}  // namespace

change_note user_registered(std::string_view name, std::span<const route_record> routes,
                            std::optional<stratumproxy::link_mode> mode) {
  phrases detail;
  detail.add(in_words(routes));
  if (mode) detail.add(fmt::format("mode {}", stratumproxyd::name(*mode)));
  return {"user.register", std::string(name), std::move(detail).text()};
}

change_note user_changed(std::string_view name, const user_change& change) {
  phrases detail;
  if (change.routes) detail.add(in_words(*change.routes));
  if (change.mode) detail.add(fmt::format("mode {}", *change.mode ? stratumproxyd::name(**change.mode) : "of the pools"));
  return {"user.change", std::string(name), std::move(detail).text()};
}

change_note algorithm_added(const info& row) {
  info unlike;
  unlike.divider = 0;
  return {"algorithm.add", row.name, differences(unlike, row)};
}

change_note algorithm_changed(const info& before, const info& after) {
  return {"algorithm.change", after.name, differences(before, after)};
}

change_note pool_added(const pool_record& row) { return {"pool.add", row.pool, differences({}, row)}; }

change_note pool_changed(const pool_record& before, const pool_record& after) {
  return {"pool.change", after.pool, differences(before, after)};
}

change_note ban_added(const ban_record& row) {
  return {"ban.add", row.subject, row.seconds ? fmt::format("{}; {} seconds", row.reason, *row.seconds) : row.reason};
}

change_note token_added(const token_row& row) { return {"token.add", row.name, fmt::format("role {}", name(row.role))}; }

change_note tables_imported(std::span<const change_note> rows) {
  // Room for the longest note and for the words behind the last one.
  constexpr std::size_t room = longest_detail / 2;
  phrases detail;
  std::size_t shown = 0;
  for (std::size_t size = 0; shown < rows.size() && size < room; ++shown) {
    const auto& row = rows[shown];
    const auto text = fmt::format("{} {}{}{}", row.action, row.subject, row.detail.empty() ? "" : " ", row.detail);
    if ((size += text.size()) < room) detail.add(text);
    else break;
  }
  detail.add_if(shown < rows.size(), fmt::format("and {} rows more", rows.size() - shown));
  return {"tables.import", {}, std::move(detail).text()};
}

}  // namespace stratumproxyd
