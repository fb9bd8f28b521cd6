#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "admin/table_json.hpp"
#include "store/algorithm_name.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

constexpr std::size_t most_rows = 10'000;

void require_new(std::set<std::string>& seen, const std::string& name) {
  if (!seen.insert(name).second) throw refusal{400, name + " appears twice"};
}

std::pair<std::string, algorithm_edit> read_algorithm(json_body& members) {
  auto name = lower_case(members.text("name", 1, longest_name));
  if (!is_algorithm_name(name)) throw refusal{400, bad_algorithm_name};
  if (!members.has("divider")) throw refusal{400, "algorithm " + name + ": divider is missing"};
  const auto edit = read_algorithm_edit(members);
  const auto source = members.optional_text("source", longest_source);
  return {std::move(name), [=](stratumproxy::algorithm::info& row) {
            edit(row);
            row.source = source.value_or(row.source);
          }};
}

std::pair<std::string, pool_edit> read_pool(json_body& members) {
  auto name = pool_name(members.text("pool", 1, longest_pool));
  if (!members.has("algorithm")) throw refusal{400, "pool " + name + ": algorithm is missing"};
  const auto edit = read_pool_edit(members);
  const auto source = members.optional_text("source", longest_source);
  return {std::move(name), [=](pool_record& row) {
            edit(row);
            row.source = source.value_or(row.source);
          }};
}

}  // namespace

http_response export_tables(const api_context& context) {
  json_answer out;
  out.begin_array("algorithms");
  for (const auto& row : context.database.algorithms()) {
    out.begin_object();
    put_members(out, row);
    out.end_object();
  }
  out.end_array();
  out.begin_array("pools");
  for (const auto& row : context.database.pools()) {
    out.begin_object();
    put_members(out, row, true);
    out.end_object();
  }
  out.end_array();
  return out.done();
}

http_response import_tables(const api_context& context, const http_request& request) {
  json_body members(request);
  table_import rows;
  std::set<std::string> algorithms, pools;
  for (auto& each : members.objects_or_none("algorithms", most_rows)) {
    const auto& [name, edit] = rows.algorithms.emplace_back(read_algorithm(each));
    each.finish();
    require_new(algorithms, name);
  }
  for (auto& each : members.objects_or_none("pools", most_rows)) {
    const auto& [name, edit] = rows.pools.emplace_back(read_pool(each));
    each.finish();
    require_new(pools, name);
  }
  (void)members.optional_text("error", 0);  // an export has it
  members.finish();

  const auto result = context.database.import_tables(author_of(request), rows);
  if (result.outcome != write_outcome::changed && result.outcome != write_outcome::exists)
    return refused(result.outcome, result.error);
  json_answer out;
  out.put("created", std::uint64_t{result.created});
  out.put("changed", std::uint64_t{result.changed});
  out.put("unchanged", std::uint64_t{result.unchanged});
  return out.done();
}

}  // namespace stratumproxyd
