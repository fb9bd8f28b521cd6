// The texts of the session layer's enumerations, as they stand in metrics and logs.
#include "session/manager_impl.hpp"
#include "session/services.hpp"
#include "stratumproxy/session/session_manager.hpp"

namespace stratumproxy::session {

std::string_view name(close_reason reason) noexcept {
  switch (reason) {
    case close_reason::peer_left: return "peer_left";
    case close_reason::reset: return "reset";
    case close_reason::connect_failed: return "connect_failed";
    case close_reason::resolve_failed: return "resolve_failed";
    case close_reason::timed_out: return "timed_out";
    case close_reason::line_too_long: return "line_too_long";
    case close_reason::parse_error: return "parse_error";
    case close_reason::wrong_protocol: return "wrong_protocol";
    case close_reason::error_budget: return "error_budget";
    case close_reason::login_failed: return "login_failed";
    case close_reason::login_deadline: return "login_deadline";
    case close_reason::slow_reader: return "slow_reader";
    case close_reason::idle: return "idle";
    case close_reason::invalid_shares: return "invalid_shares";
    case close_reason::superseded: return "superseded";
    case close_reason::extranonce: return "extranonce";
    case close_reason::version_mask: return "version_mask";
    case close_reason::no_pool: return "no_pool";
    case close_reason::refused: return "refused";
    case close_reason::protocol_error: return "protocol_error";
    case close_reason::pool_silent: return "pool_silent";
    case close_reason::reconnect_asked: return "reconnect_asked";
    case close_reason::not_needed: return "not_needed";
    case close_reason::limit: return "limit";
    case close_reason::shutdown: return "shutdown";
    case close_reason::account_removed: return "account_removed";
    case close_reason::by_operator: return "operator";
    case close_reason::banned: return "banned";
    case close_reason::tls_failed: return "tls_failed";
  }
  return "other";
}

std::string_view name(happening what) noexcept {
  switch (what) {
    case happening::connection_accepted: return "connections_accepted";
    case happening::line_refused: return "lines_refused";
    case happening::intruder_refused: return "intruders_refused";
    case happening::authorize_failed: return "authorizes_failed";
    case happening::session_kept: return "sessions_kept";
    case happening::session_restored: return "sessions_restored";
    case happening::session_recalled: return "sessions_recalled";
    case happening::session_superseded: return "sessions_superseded";
    case happening::session_moved: return "sessions_moved";
    case happening::session_handed_over: return "sessions_handed_over";
    case happening::verdict_unmatched: return "verdicts_unmatched";
    case happening::pool_message_refused: return "pool_messages_refused";
    case happening::pool_request_refused: return "pool_requests_refused";
    case happening::reconnect_refused: return "reconnects_refused";
    case happening::miner_response: return "miner_responses";
    case happening::jobs_coalesced: return "jobs_coalesced";
  }
  return "other";
}

std::string words_for(close_reason reason, std::string_view detail) {
  std::string words(name(reason));
  if (!detail.empty()) words.append(": ").append(detail);
  return words;
}

}  // namespace stratumproxy::session
