#include <algorithm>
#include <cstdint>
#include <string>

#include <stratumproxy/dialect.hpp>

#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "admin/table_json.hpp"
#include "endpoint.hpp"
#include "link_rules.hpp"
#include "store/algorithm_name.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

http_response written(write_outcome outcome, std::string_view name, std::string_view conflict) {
  if (outcome != write_outcome::created && outcome != write_outcome::exists)
    return refused(outcome, outcome == write_outcome::conflict ? conflict : std::string_view());
  return http_named(201, name);
}

}  // namespace

http_response list_algorithms(const api_context& context) {
  json_answer out;
  out.begin_array("algorithms");
  for (const auto& each : context.database.algorithms()) {
    out.begin_object();
    put_members(out, each);
    out.end_object();
  }
  out.end_array();
  return out.done();
}

http_response add_algorithm(const api_context& context, const http_request& request) {
  json_body members(request);
  stratumproxy::algorithm::info value;
  value.name = lower_case(members.text("name", 1, longest_name));
  const auto divider = members.optional_divider("divider");
  if (!divider) throw refusal{400, "divider is missing"};
  value.divider = *divider;
  for (const auto& alias : members.optional_texts("aliases", 16)) value.aliases.push_back(lower_case(alias));
  // What is not given is as in the row that is there already, if one is.
  for (const auto& there : context.database.algorithms()) {
    if (there.name != value.name && std::ranges::find(there.aliases, value.name) == there.aliases.end()) continue;
    value.speaks = there.speaks;
    value.coinb1_index = there.coinb1_index;
  }
  if (const auto dialect = members.optional_text("dialect", 64)) {
    const auto known = stratumproxy::dialect_from_name(*dialect);
    if (!known) throw refusal{400, "unknown dialect"};
    value.speaks = *known;
  }
  value.coinb1_index = members.optional_whole("coinb1_index", 2, 8).value_or(value.coinb1_index);
  members.finish();
  const auto good = std::ranges::all_of(value.aliases, is_algorithm_name) && is_algorithm_name(value.name);
  if (!good) throw refusal{400, bad_algorithm_name};
  return written(context.database.add_algorithm(author_of(request), value), value.name, "the algorithm is there with other values");
}

http_response list_pools(const api_context& context) {
  json_answer out;
  out.begin_array("pools");
  for (const auto& each : context.database.pools()) {
    out.begin_object();
    put_members(out, each);
    out.end_object();
  }
  out.end_array();
  return out.done();
}

http_response add_pool(const api_context& context, const http_request& request) {
  json_body members(request);
  pool_record value;
  const auto pool = members.text("pool", 1, longest_pool);
  value.algorithm = lower_case(members.text("algorithm", 1, longest_name));
  value.divider = members.optional_divider("divider");
  const auto given_template = members.optional_text("login_template", longest_credential);
  if (given_template) value.login_template = login_template(*given_template);
  if (value.login_template.empty()) throw refusal{400, "login_template must not be empty"};
  for (const auto& host : members.optional_texts("reconnect_hosts", 16)) {
    const auto parsed = parse_endpoint(host + ":0");
    if (!parsed) throw refusal{400, "reconnect_hosts must hold host names without ports"};
    value.reconnect_hosts.push_back(parsed->host);
  }
  const auto mode = members.optional_mode();
  const auto verify = members.optional_verify();
  const auto vardiff = members.optional_flag("vardiff");
  const auto fixed_difficulty = members.optional_flag("fixed_difficulty");
  const auto rig_logins = members.optional_flag("rig_logins");
  const auto tls = read_tls_edit(members);
  members.finish();
  value.pool = pool_name(pool);
  // What is not given is as in the row that is there already, if one is.
  pool_record links;
  for (const auto& there : context.database.pools()) {
    if (there.pool != value.pool) continue;
    if (!given_template) value.login_template = there.login_template;
    if (value.reconnect_hosts.empty()) value.reconnect_hosts = there.reconnect_hosts;
    links = there;
  }
  value.mode = mode.value_or(links.mode);
  value.verify = verify.value_or(links.verify);
  value.vardiff = vardiff.value_or(links.vardiff);
  value.fixed_difficulty = fixed_difficulty.value_or(links.fixed_difficulty);
  value.rig_logins = rig_logins.value_or(links.rig_logins);
  value.tls = links.tls;
  tls(value.tls);
  for (const auto& known : context.database.algorithms()) {
    if (known.name != value.algorithm && std::ranges::find(known.aliases, value.algorithm) == known.aliases.end()) continue;
    value.algorithm = known.name;
    if (const auto fault = link_fault(value, value.mode); !fault.empty()) throw refusal{422, fault};
    break;
  }
  return written(context.database.add_pool(author_of(request), value), value.pool, "the pool is there with other values");
}

}  // namespace stratumproxyd
