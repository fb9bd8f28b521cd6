#include "admin/table_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <stratumproxy/dialect.hpp>

#include "endpoint.hpp"
#include "link_rules.hpp"
#include "store/algorithm_name.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

// FNV-1a. Whoever can write the rows can make two of them alike, and harms nobody but himself.
std::string hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("\"{:016x}\"", hash);
}

template <class Row>
std::string etag_of_members(const Row& row) {
  json_answer out;
  put_members(out, row);
  return hash_of(out.done().body);
}

std::vector<std::string> host_names(const std::vector<std::string>& hosts) {
  std::vector<std::string> out;
  for (const auto& host : hosts) {
    const auto parsed = parse_endpoint(host + ":0");
    if (!parsed) throw refusal{400, "reconnect_hosts must hold host names without ports"};
    out.push_back(parsed->host);
  }
  return out;
}

}  // namespace

std::string login_template(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '}') throw refusal{400, "login_template has a } without its {"};
    if (text[i] != '{') continue;
    const auto end = text.find('}', i);
    const auto name = end == std::string::npos ? "" : text.substr(i + 1, end - i - 1);
    if (name != "user" && name != "rig" && name != "account")
      throw refusal{400, "login_template knows {user}, {rig} and {account} only"};
    i = end;
  }
  return text;
}

void put_members(json_answer& out, const stratumproxy::algorithm::info& row) {
  out.put("name", row.name);
  out.put("aliases", row.aliases);
  out.put("divider", row.divider);
  out.put("dialect", stratumproxy::name(row.speaks));
  out.put("coinb1_index", std::uint64_t{row.coinb1_index});
  out.put("source", row.source);
}

void put_members(json_answer& out, const pool_record& row, bool complete) {
  out.put("pool", row.pool);
  out.put("algorithm", row.algorithm);
  if (row.divider) out.put("divider", *row.divider);
  else if (complete) out.put_null("divider");
  out.put("login_template", row.login_template);
  out.put("reconnect_hosts", row.reconnect_hosts);
  out.put("mode", name(row.mode));
  out.put("verify", name(row.verify));
  out.put_flag("vardiff", row.vardiff);
  out.put_flag("fixed_difficulty", row.fixed_difficulty);
  out.put_flag("rig_logins", row.rig_logins);
  out.put("tls", name(row.tls.mode));
  out.put("tls_fingerprint", row.tls.fingerprint);
  out.put("source", row.source);
}

std::string etag_of(const stratumproxy::algorithm::info& row) { return etag_of_members(row); }
std::string etag_of(const pool_record& row) { return etag_of_members(row); }

void require_etag(std::string_view if_match, const std::string& etag) {
  if (if_match.empty() || if_match == "*" || if_match == etag) return;
  if (if_match.size() < 3 || !if_match.starts_with('"') || !if_match.ends_with('"'))
    throw refusal{400, "If-Match must be the ETag of an answer, with its quotes"};
  throw refusal{412, "the row has other values by now"};
}

algorithm_edit read_algorithm_edit(json_body& members) {
  const auto divider = members.optional_divider("divider");
  std::optional<std::vector<std::string>> aliases;
  if (members.has("aliases")) aliases = members.optional_texts("aliases", 16);
  if (aliases)
    for (auto& alias : *aliases) {
      alias = lower_case(alias);
      if (!is_algorithm_name(alias)) throw refusal{400, bad_algorithm_name};
    }
  std::optional<stratumproxy::dialect> dialect;
  if (const auto text = members.optional_text("dialect", longest_name)) {
    const auto known = stratumproxy::dialect_from_name(*text);
    if (!known) throw refusal{400, "unknown dialect"};
    dialect = *known;
  }
  const auto index = members.optional_whole("coinb1_index", 2, 8);
  return [=](stratumproxy::algorithm::info& row) {
    row.divider = divider.value_or(row.divider);
    row.aliases = aliases.value_or(row.aliases);
    row.speaks = dialect.value_or(row.speaks);
    row.coinb1_index = index.value_or(row.coinb1_index);
  };
}

std::function<void(stratumproxy::pool_tls&)> read_tls_edit(json_body& members) {
  const auto mode = members.optional_tls();
  const auto fingerprint = members.optional_fingerprint();
  return [=](stratumproxy::pool_tls& tls) {
    tls.mode = mode.value_or(tls.mode);
    if (mode && *mode != stratumproxy::tls_mode::pin) tls.fingerprint.clear();
    tls.fingerprint = fingerprint.value_or(tls.fingerprint);
  };
}

pool_edit read_pool_edit(json_body& members) {
  const auto algorithm = members.optional_text("algorithm", longest_name);
  const auto divider = members.optional_divider_or_null("divider");
  const auto login = members.optional_text("login_template", longest_credential);
  if (login && login_template(*login).empty()) throw refusal{400, "login_template must not be empty"};
  std::optional<std::vector<std::string>> hosts;
  if (members.has("reconnect_hosts")) hosts = host_names(members.optional_texts("reconnect_hosts", 16));
  const auto mode = members.optional_mode();
  const auto verify = members.optional_verify();
  const auto vardiff = members.optional_flag("vardiff");
  const auto fixed_difficulty = members.optional_flag("fixed_difficulty");
  const auto rig_logins = members.optional_flag("rig_logins");
  const auto tls = read_tls_edit(members);
  return [=](pool_record& row) {
    if (algorithm) row.algorithm = lower_case(*algorithm);
    row.divider = divider.value_or(row.divider);
    row.login_template = login.value_or(row.login_template);
    row.reconnect_hosts = hosts.value_or(row.reconnect_hosts);
    row.mode = mode.value_or(row.mode);
    row.verify = verify.value_or(row.verify);
    row.vardiff = vardiff.value_or(row.vardiff);
    row.fixed_difficulty = fixed_difficulty.value_or(row.fixed_difficulty);
    row.rig_logins = rig_logins.value_or(row.rig_logins);
    tls(row.tls);
  };
}

}  // namespace stratumproxyd
