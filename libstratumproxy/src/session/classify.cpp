#include <algorithm>
#include <cctype>
#include <string>

#include "session/upstream_session.hpp"

namespace stratumproxy::session {

metrics::reject_reason classify(int code, std::string_view text) noexcept {
  using metrics::reject_reason;
  const auto says = [&](std::string_view word) {
    const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
    return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
  };
  if (says("duplicate")) return reject_reason::duplicate;
  if (says("stale") || says("job not found") || says("jobid") || says("job id") || says("unknown job") || says("invalid job"))
    return reject_reason::stale;
  if (says("diff") || says("above target") || says("high-hash") || says("high hash")) return reject_reason::low_difficulty;
  if (says("ntime") || says("time too")) return reject_reason::bad_time;
  if (says("version")) return reject_reason::bad_version;
  if (says("extranonce") || says("nonce2")) return reject_reason::bad_extranonce;
  if (says("unauthor") || says("worker mismatch") || says("not authorized")) return reject_reason::unauthorized;
  if (!text.empty()) return reject_reason::other;
  switch (code) {
    case 21: return reject_reason::stale;
    case 22: return reject_reason::duplicate;
    case 23: return reject_reason::low_difficulty;
    case 24: return reject_reason::unauthorized;
  }
  return reject_reason::other;
}

}  // namespace stratumproxy::session
