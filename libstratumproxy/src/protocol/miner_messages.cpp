#include "protocol/miner_messages.hpp"

#include <algorithm>
#include <array>

#include "protocol/json_text.hpp"
#include "stratumproxy/protocol/codec.hpp"

namespace stratumproxy::protocol {
namespace {

// Missing and null parameters count as none: some miners send no list. Any other kind than an array is unusable.
bool is_list(json_value params) noexcept { return params.is_array() || params.is_nothing(); }

miner_body read_subscribe(std::string_view method, json_value params) {
  if (!is_list(params)) return malformed{method};
  const auto second = params[1].string();
  if (second.starts_with("EthereumStratum/1")) return foreign_dialect{dialect::ethereum_stratum};
  return subscribe{params[0].string(), second};
}

miner_body read_authorize(std::string_view method, json_value params) {
  if (!params[0].is_string()) return malformed{method};
  return authorize{params[0].text(), params[1].string()};
}

miner_body read_submit(std::string_view method, json_value params) {
  constexpr std::size_t required = 5;
  if (!params.is_array() || params.size() < required || params.size() > required + 1) return malformed{method};
  std::array<std::string_view, required> texts;
  for (std::size_t i = 0; i < required; ++i) {
    if (!params[i].is_string()) return malformed{method};
    texts[i] = params[i].text();
  }
  submit share{texts[0], texts[1], texts[2], texts[3], texts[4], std::nullopt};
  if (params[required].is_string()) {
    share.version_bits = params[required].text();
  } else if (!params[required].is_nothing()) {
    return malformed{method};
  }
  return share;
}

void add_unknown(configure& asked, std::string_view extension) {
  // The reply may have that key already, as the parameter of an extension.
  if (extension == "version-rolling.mask") return;
  const auto last = asked.unknown.begin() + static_cast<std::ptrdiff_t>(asked.unknown_count);
  if (asked.unknown_count == configure::max_unknown || std::find(asked.unknown.begin(), last, extension) != last) return;
  asked.unknown[asked.unknown_count++] = extension;
}

// BIP 310: a list of extension names and an object of their parameters.
miner_body read_configure(std::string_view method, json_value params) {
  if (!params[0].is_array()) return malformed{method};
  configure asked;
  for (const auto extension : params[0]) {
    if (!extension.is_string()) continue;
    const auto name = extension.text();
    if (name == "version-rolling") {
      asked.version_rolling = true;
    } else if (name == "minimum-difficulty") {
      asked.minimum_difficulty = true;
    } else if (name == "subscribe-extranonce") {
      asked.subscribe_extranonce = true;
    } else if (name == "info") {
      asked.info = true;
    } else {
      add_unknown(asked, name);
    }
  }
  const auto mask = params[1].find("version-rolling.mask");
  if (mask.kind() != json_kind::missing) asked.mask = parse_hex32(mask.string()).value_or(0);
  const auto minimum = parse_double(params[1].find("minimum-difficulty.value").text());
  if (minimum && *minimum > 0) asked.minimum_difficulty_value = *minimum;
  return asked;
}

suggest_difficulty suggested(std::string_view text) noexcept {
  const auto value = parse_double(text);
  return {value && *value > 0 ? *value : 0};
}

suggest_target read_suggest_target(json_value params) noexcept {
  const auto target = params[0].string();
  return {target.size() == 64 && is_hex(target) ? target : std::string_view{}};
}

// Methods that no miner of this dialect uses, for an answer that the miner's user can understand.
std::optional<dialect> foreign(std::string_view method) noexcept {
  if (method.starts_with("eth_")) return dialect::eth_proxy;
  if (method == "mining.hello") return dialect::ethereum_stratum;
  if (method == "login" || method == "keepalived" || method == "getjob") return dialect::cryptonote;
  return std::nullopt;
}

}  // namespace

miner_body read_miner_request(std::string_view method, json_value params) {
  // The old form has the number in the name; some miners leave out the closing bracket.
  constexpr std::string_view inline_difficulty = "mining.suggest_difficulty(";

  if (method == "mining.submit") return read_submit(method, params);
  if (method == "mining.subscribe") return read_subscribe(method, params);
  if (method == "mining.authorize") return read_authorize(method, params);
  if (method == "mining.configure") return read_configure(method, params);
  if (method == "mining.suggest_difficulty") return suggested(params[0].text());
  if (method == "mining.suggest_target") return read_suggest_target(params);
  if (method == "mining.extranonce.subscribe") return extranonce_subscribe{};
  if (method == "mining.multi_version") return multi_version{};
  if (method == "mining.capabilities") return capabilities{};
  if (method == "mining.ping") return ping{};
  if (method == "pong") return pong{};
  if (method.starts_with(inline_difficulty)) {
    const auto rest = method.substr(inline_difficulty.size());
    return suggested(rest.substr(0, rest.find(')')));
  }
  if (const auto which = foreign(method)) return foreign_dialect{*which};
  return unknown_method{method};
}

}  // namespace stratumproxy::protocol
