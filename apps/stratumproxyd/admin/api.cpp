#include "admin/api.hpp"

#include <malloc.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <stratumproxy/dialect.hpp>

#include "admin/json.hpp"
#include "endpoint.hpp"
#include "link_rules.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

using writer = rapidjson::Writer<rapidjson::StringBuffer>;

/// Ends a request with an error; thrown and caught within this file only.
struct refusal {
  int status;
  std::string text;
};

void put(writer& out, std::string_view text) { out.String(text.data(), static_cast<rapidjson::SizeType>(text.size())); }

void put(writer& out, std::string_view key, std::string_view text) {
  out.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  put(out, text);
}

void put(writer& out, std::string_view key, const std::vector<std::string>& texts) {
  out.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  out.StartArray();
  for (const auto& text : texts) put(out, text);
  out.EndArray();
}

void put(writer& out, std::string_view key, double value) {
  out.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  // Whole numbers without a fraction, so that shell scripts can compare them.
  if (value == std::floor(value) && std::abs(value) < 9e15) out.Int64(static_cast<std::int64_t>(value));
  else out.Double(value);
}

void put_flag(writer& out, std::string_view key, bool value) {
  out.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  out.Bool(value);
}

http_response as_response(const rapidjson::StringBuffer& buffer) {
  return {.status = 200, .body = std::string(buffer.GetString(), buffer.GetSize()) + '\n', .headers = {}};
}

bool is_printable(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return false;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;  // C1 controls
  }
  return true;
}

bool is_algorithm_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '/' || c == '+';
  });
}

/// The members of a request's body. Reading one takes it; what is left in the end is unknown.
class body {
 public:
  explicit body(const http_request& request) {
    auto type = lower_case(request.content_type.substr(0, request.content_type.find(';')));
    type.erase(type.find_last_not_of(" \t") + 1);
    // curl -d says x-www-form-urlencoded whatever it sends.
    if (!type.empty() && type != "application/json" && type != "application/x-www-form-urlencoded")
      throw refusal{415, "the body must be application/json"};
    auto parsed = parse_json_object(request.body);
    if (const auto* why = std::get_if<std::string>(&parsed)) throw refusal{400, *why};
    members_ = std::move(std::get<json_object>(parsed));
  }

  std::string text(std::string_view name, std::size_t low, std::size_t high) {
    auto value = optional_text(name, high);
    if (!value) throw refusal{400, std::string(name) + " is missing"};
    if (value->size() < low) throw refusal{400, std::string(name) + " must not be empty"};
    return *std::move(value);
  }

  std::optional<std::string> optional_text(std::string_view name, std::size_t high) {
    auto value = take(name);
    if (!value) return std::nullopt;
    auto* text = std::get_if<std::string>(&*value);
    if (!text) throw refusal{400, std::string(name) + " must be a string"};
    if (text->size() > high) throw refusal{400, std::string(name) + " is longer than " + std::to_string(high) + " bytes"};
    if (!is_printable(*text)) throw refusal{400, std::string(name) + " contains control characters"};
    return std::move(*text);
  }

  std::optional<double> optional_divider(std::string_view name) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    const auto* number = std::get_if<json_number>(&*value);
    const auto parsed = number ? to_double(*number) : std::nullopt;
    if (!parsed || *parsed <= 0) throw refusal{400, std::string(name) + " must be a positive number"};
    return parsed;
  }

  std::optional<unsigned> optional_whole(std::string_view name, unsigned low, unsigned high) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    const auto* number = std::get_if<json_number>(&*value);
    const auto parsed = number ? to_double(*number) : std::nullopt;
    if (!parsed || *parsed < low || *parsed > high || *parsed != std::floor(*parsed))
      throw refusal{400, std::string(name) + " must be a whole number from " + std::to_string(low) + " to " + std::to_string(high)};
    return static_cast<unsigned>(*parsed);
  }

  std::optional<bool> optional_flag(std::string_view name) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    const auto* flag = std::get_if<bool>(&*value);
    if (!flag) throw refusal{400, std::string(name) + " must be true or false"};
    return *flag;
  }

  std::optional<stratumproxy::link_mode> optional_mode() {
    const auto text = optional_text("mode", longest_name);
    const auto known = text ? link_mode_from_name(*text) : std::nullopt;
    if (text && !known) throw refusal{400, "mode must be dedicated or shared"};
    return known;
  }

  std::optional<stratumproxy::verify_level> optional_verify() {
    const auto text = optional_text("verify", longest_name);
    const auto known = text ? verify_level_from_name(*text) : std::nullopt;
    if (text && !known) throw refusal{400, "verify must be off, basic or full"};
    return known;
  }

  std::vector<std::string> optional_texts(std::string_view name, std::size_t most) {
    auto value = take(name);
    if (!value) return {};
    auto* texts = std::get_if<std::vector<std::string>>(&*value);
    if (!texts || texts->size() > most)
      throw refusal{400, std::string(name) + " must be an array of at most " + std::to_string(most) + " strings"};
    return std::move(*texts);
  }

  void finish() const {
    if (members_.empty()) return;
    auto name = members_.begin()->first;
    if (!is_printable(name)) throw refusal{400, "unknown member with control characters"};
    if (name.size() > longest_name) {
      auto end = longest_name;
      while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;  // not within a character
      name.resize(end);
    }
    throw refusal{400, "unknown member " + name};
  }

 private:
  std::optional<json_value> take(std::string_view name) {
    const auto found = members_.find(name);
    if (found == members_.end()) return std::nullopt;
    auto value = std::move(found->second);
    members_.erase(found);
    return value;
  }

  json_object members_;
};

std::string pool_name(const std::string& text) {
  const auto parsed = parse_pool(text);
  if (!parsed)
    throw refusal{400, "pool must be HOST:PORT with a DNS name, an IPv4 address or an IPv6 address in brackets, and a port from 1 to 65535"};
  return parsed->text();
}

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

http_response written(write_outcome outcome, std::string_view name, std::string_view conflict) {
  switch (outcome) {
    case write_outcome::created:
    case write_outcome::exists: return http_named(201, name);
    case write_outcome::conflict: return http_error(409, conflict);
    case write_outcome::unknown_pool: return http_error(404, "unknown pool");
    case write_outcome::unknown_algorithm: return http_error(404, "unknown algorithm");
    case write_outcome::unsupported: return http_error(422, "the pool's algorithm speaks a dialect that is not built");
  }
  return http_error(500, "internal error");
}

http_response register_user(const api_context& context, const http_request& request) {
  body members(request);
  const auto pool = members.text("pool", 1, longest_pool);
  const auto user = members.text("user", 1, longest_credential);
  const auto password = members.text("password", 0, longest_credential);
  const auto mode = members.optional_mode();
  members.finish();
  const auto result = context.database.register_user(pool_name(pool), user, password, mode);
  if (result.outcome == write_outcome::created || result.outcome == write_outcome::exists) {
    if (context.on_registered) context.on_registered(result.name);
    return http_named(201, result.name);
  }
  auto refused = written(result.outcome, {}, "the account is there with other values");
  return result.error.empty() ? refused : http_error(refused.status, result.error);
}

http_response list_algorithms(const api_context& context) {
  rapidjson::StringBuffer buffer;
  writer out(buffer);
  out.StartObject();
  out.Key("algorithms");
  out.StartArray();
  for (const auto& each : context.database.algorithms()) {
    out.StartObject();
    put(out, "name", each.name);
    put(out, "aliases", each.aliases);
    put(out, "divider", each.divider);
    put(out, "dialect", stratumproxy::name(each.speaks));
    put(out, "coinb1_index", each.coinb1_index);
    put(out, "source", each.source);
    out.EndObject();
  }
  out.EndArray();
  put(out, "error", std::string_view());
  out.EndObject();
  return as_response(buffer);
}

http_response add_algorithm(const api_context& context, const http_request& request) {
  body members(request);
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
  if (!good) throw refusal{400, "names of algorithms consist of 1 to 64 letters, digits and the characters - _ . / +"};
  return written(context.database.add_algorithm(value), value.name, "the algorithm is there with other values");
}

http_response list_pools(const api_context& context) {
  rapidjson::StringBuffer buffer;
  writer out(buffer);
  out.StartObject();
  out.Key("pools");
  out.StartArray();
  for (const auto& each : context.database.pools()) {
    out.StartObject();
    put(out, "pool", each.pool);
    put(out, "algorithm", each.algorithm);
    if (each.divider) put(out, "divider", *each.divider);
    put(out, "login_template", each.login_template);
    put(out, "reconnect_hosts", each.reconnect_hosts);
    put(out, "mode", name(each.mode));
    put(out, "verify", name(each.verify));
    put_flag(out, "vardiff", each.vardiff);
    put_flag(out, "fixed_difficulty", each.fixed_difficulty);
    put_flag(out, "rig_logins", each.rig_logins);
    put(out, "source", each.source);
    out.EndObject();
  }
  out.EndArray();
  put(out, "error", std::string_view());
  out.EndObject();
  return as_response(buffer);
}

http_response add_pool(const api_context& context, const http_request& request) {
  body members(request);
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
  for (const auto& known : context.database.algorithms()) {
    if (known.name != value.algorithm && std::ranges::find(known.aliases, value.algorithm) == known.aliases.end()) continue;
    value.algorithm = known.name;
    if (const auto fault = link_fault(value, value.mode); !fault.empty()) throw refusal{422, fault};
    break;
  }
  return written(context.database.add_pool(value), value.pool, "the pool is there with other values");
}

http_response health(const api_context& context) {
  return {.status = 200, .body = std::string("{\"status\":\"ok\",\"db\":\"") + (context.database_up() ? "up" : "down") + "\"}\n",
          .headers = {}};
}

http_response readiness(const api_context& context) {
  const auto refused = [](std::string_view why) {
    auto answer = http_error(503, why);
    answer.headers.emplace_back("Retry-After", "2");
    return answer;
  };
  if (!context.ready()) return refused("starting or stopping");
  if (!context.database_up()) return refused("the database does not answer");
  if (!context.has_tag()) return refused("another proxy writes share totals under this one's tag");
  return {.status = 200, .body = "{\"status\":\"ready\"}\n", .headers = {}};
}

http_response metrics_page(const api_context& context) {
  auto page = context.metrics();
  if (!page) return http_error(503, "the counters cannot be read at the moment");
  http_response out{.status = 200, .body = *std::move(page), .content_type = "text/plain; version=0.0.4", .headers = {}};
  // What a large page took would stay with the process.
  if (out.body.size() > 1'048'576) ::malloc_trim(0);
  return out;
}

/// Turns what a handler throws into an answer. Texts of the database may quote values, so they are not shown.
http_handler guarded(const api_context& context, std::function<http_response(const http_request&)> handler) {
  return [&log = context.log, handler = std::move(handler)](const http_request& request) {
    try {
      return handler(request);
    } catch (const refusal& error) {
      return http_error(error.status, error.text);
    } catch (const store_unavailable&) {
      auto refused = http_error(503, "the database does not answer; try again");
      refused.headers.emplace_back("Retry-After", "2");
      return refused;
    } catch (const std::exception&) {
      log.write({.level = stratumproxy::log_level::error, .event = "http_failed", .session = {}, .worker = {}, .account = {},
                 .pool = {}, .detail = request.path});
      return http_error(500, "internal error");
    }
  };
}

}  // namespace

void add_routes(http_server& server, const api_context& context) {
  const auto add = [&](const char* method, const char* path, auto handler) {
    server.route(method, path, guarded(context, [context, handler](const http_request& request) {
      if constexpr (requires { handler(context, request); }) return handler(context, request);
      else return handler(context);
    }));
  };
  add("POST", "/api/v1/users", register_user);
  add("PUT", "/api/v1/users", register_user);
  add("GET", "/api/v1/algorithms", list_algorithms);
  add("POST", "/api/v1/algorithms", add_algorithm);
  add("GET", "/api/v1/pools", list_pools);
  add("POST", "/api/v1/pools", add_pool);
  add("GET", "/healthz", health);
  add("GET", "/readyz", readiness);
  add("GET", "/metrics", metrics_page);
}

}  // namespace stratumproxyd
