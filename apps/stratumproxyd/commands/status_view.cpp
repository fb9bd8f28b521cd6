#include "commands/status_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

#include "commands/text_table.hpp"

namespace stratumproxyd {
namespace {

// What is missing or of another type, as with a daemon of another version, is empty.
std::string text_in(const json_object& members, std::string_view name) {
  const auto found = members.find(name);
  const auto* text = found == members.end() ? nullptr : std::get_if<std::string>(&found->second);
  return text ? visible(*text) : std::string();
}

double number_in(const json_object& members, std::string_view name) {
  const auto found = members.find(name);
  const auto* number = found == members.end() ? nullptr : std::get_if<json_number>(&found->second);
  return number ? to_double(*number).value_or(0) : 0;
}

std::uint64_t count_in(const json_object& members, std::string_view name) {
  return static_cast<std::uint64_t>(std::clamp(number_in(members, name), 0.0, 1e18));
}

bool is_set(const json_object& members, std::string_view name) {
  const auto found = members.find(name);
  const auto* flag = found == members.end() ? nullptr : std::get_if<bool>(&found->second);
  return flag && *flag;
}

std::vector<std::string> texts_in(const json_object& members, std::string_view name) {
  const auto found = members.find(name);
  const auto* texts = found == members.end() ? nullptr : std::get_if<std::vector<std::string>>(&found->second);
  return texts ? *texts : std::vector<std::string>();
}

std::vector<json_object> rows_in(const json_object& members, std::string_view name) {
  const auto found = members.find(name);
  const auto* rows = found == members.end() ? nullptr : std::get_if<std::vector<json_object>>(&found->second);
  return rows ? *rows : std::vector<json_object>();
}

void add_head(const json_object& status, const std::string& url, std::vector<std::string>& out) {
  out.push_back(fmt::format("stratumproxyd {} at {}: {}, up {}", text_in(status, "version"), visible(url),
                            is_set(status, "ready") ? "ready" : "NOT READY", age_text(number_in(status, "uptime_seconds"))));
  out.push_back(fmt::format("miners at {}, tag {}, {} shard{}, database {}, {} of {} descriptors", text_in(status, "stratum"),
                            text_in(status, "tag"), count_in(status, "shards"), count_in(status, "shards") == 1 ? "" : "s",
                            text_in(status, "database"), count_in(status, "open_descriptors"),
                            count_in(status, "descriptor_limit")));
  out.push_back(fmt::format("{} workers, {} connections, {} kept sessions, {} bans", count_in(status, "workers"),
                            count_in(status, "connections"), count_in(status, "kept_sessions"), count_in(status, "bans")));
  for (const auto& row : rows_in(status, "hashrates"))
    out.push_back(fmt::format("{} {}", hashrate_text(number_in(row, "hashrate")), text_in(row, "hash")));
  if (const auto error = text_in(status, "reload_error"); !error.empty()) out.push_back("the last reload failed: " + error);
  if (const auto keys = texts_in(status, "needs_restart"); !keys.empty())
    out.push_back(visible(fmt::format("waits for a restart: {}", fmt::join(keys, ", "))));
}

struct pool_links {
  std::uint64_t links = 0, live = 0, workers = 0;
  std::string other;  // the state of one that is not live
};

void add_pools(const json_object& answer, std::vector<std::string>& out) {
  std::map<std::string, pool_links> pools;
  for (const auto& link : rows_in(answer, "links")) {
    auto& pool = pools[text_in(link, "pool")];
    const auto state = text_in(link, "state");
    ++pool.links;
    pool.workers += count_in(link, "workers");
    if (state == "live")
      ++pool.live;
    else
      pool.other = state;
  }
  if (pools.empty()) return;
  text_table table({"POOL", "LINKS", "LIVE", "WORKERS", "STATE"});
  for (const auto& [name, pool] : pools)
    table.add({name, std::to_string(pool.links), std::to_string(pool.live), std::to_string(pool.workers),
               pool.other.empty() ? "live"
               : pool.live > 0    ? "live, some " + pool.other
                                  : pool.other});
  out.emplace_back();
  for (auto& line : table.lines()) out.push_back(std::move(line));
}

void add_workers(const status_answers& answers, std::size_t most, std::vector<std::string>& out) {
  auto rows = rows_in(answers.workers, "workers");
  std::erase_if(rows, [](const json_object& row) { return !is_set(row, "up") || !is_set(row, "current"); });
  std::ranges::stable_sort(rows, std::greater<>(), [](const json_object& row) { return number_in(row, "hashrate"); });
  if (rows.empty() || most == 0) return;
  text_table table({"WORKER", "ADDRESS", "POOL", "HASHRATE", "DIFFICULTY", "ACCEPTED", "REJECTED", "UNKNOWN", "LAST SHARE"});
  for (const auto& row : rows) {
    if (table.size() == most) break;
    const auto rig = text_in(row, "rig");
    const auto last = row.find("last_share_seconds");
    const bool has_shared = last != row.end() && std::holds_alternative<json_number>(last->second);
    table.add({text_in(row, "user") + (rig.empty() ? "" : "." + rig), text_in(row, "worker"), text_in(row, "pool"),
               hashrate_text(number_in(row, "hashrate")), number_text(number_in(row, "difficulty")),
               std::to_string(count_in(row, "accepted")), std::to_string(count_in(row, "rejected")),
               std::to_string(count_in(row, "unknown")), has_shared ? age_text(number_in(row, "last_share_seconds")) : "-"});
  }
  out.emplace_back();
  for (auto& line : table.lines()) out.push_back(std::move(line));
  const auto all = count_in(answers.status, "workers");
  if (all > table.size()) out.push_back(fmt::format("and {} more", all - table.size()));
}

}  // namespace

std::vector<std::string> status_lines(const status_answers& answers, const std::string& url, std::size_t most_workers) {
  std::vector<std::string> out;
  add_head(answers.status, url, out);
  add_pools(answers.links, out);
  add_workers(answers, most_workers, out);
  return out;
}

}  // namespace stratumproxyd
