#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include "net/connection.hpp"
#include "net/dialer.hpp"
#include "net/endpoint.hpp"
#include "net/listener.hpp"
#include "net/listener_rules.hpp"
#include "net/output_buffer.hpp"
#include "net/poller.hpp"
#include "net/shard_mail.hpp"
#include "net/shell.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/bans.hpp"
#include "stratumproxy/session/session_manager.hpp"
#include "stratumproxy/tls_certificate.hpp"
#include "stratumproxy/tls_client.hpp"

namespace stratumproxy::net {

/// A worker's connection between two shards.
struct migrant {
  unique_fd socket;
  tls_stream tls;
  admission::ticket place;
  std::unique_ptr<endpoint> announced;  ///< as connection has it
  std::string unsent;  ///< output that the kernel had not taken
  session::handover what;
};

/// The sockets, clock and mail of one session_manager, on one io_context that nobody else runs.
///
/// Everything happens in wake-ups: a handler of Asio reads the clock once, tells the manager what happened, and then
/// settles: results that came up while the manager was busy are told, and output is handed to the kernel, once for
/// each connection. Thread: that of the io_context, but for the constructor.
class shard final : public session::session_host, public std::enable_shared_from_this<shard> {
 public:
  shard(shell& common, unsigned index, asio::io_context& io, std::vector<listening_socket> listening);
  ~shard() override;

  void start();

  // From the mailbox.
  void account_found(session::lookup_id lookup, account_lookup found);
  void session_found(session::lookup_id lookup, const std::optional<session_record>& found);
  void account_changed(const std::string& name, std::shared_ptr<const account> now_is);
  bool disconnect(std::string_view worker, std::string_view words);
  move_outcome move_worker(std::string_view worker, std::shared_ptr<const account> to);
  void bans_changed(std::shared_ptr<const ban_list> bans);
  void set_options(const options& now_are);
  void certificate_changed(std::shared_ptr<const tls_certificate> now_is);
  void name_resolved(session::channel_id channel, const std::vector<endpoint>& found);
  void share_checked(session::check_id check, const result<algorithm::proof>& outcome);
  void arrive(migrant who);
  /// Nobody new comes; who was accepted and has not said yet who he is still may.
  void stop_accepting() noexcept;
  /// `done` is called once no worker is left; destroyed without it if the shard is stopped before.
  void drain(shard_task done);
  [[nodiscard]] metrics::snapshot snapshot(metrics::scope what = metrics::scope::everything) const;
  /// Likewise, but a piece at a time, with the shares that come meanwhile between them.
  void take_snapshot(session::partial_snapshot part, std::promise<metrics::snapshot> answer);
  /// Closes everything; the io_context then runs out of work.
  void stop();

  // From the sockets.
  void on_miners(listener& from);
  void on_miner(unique_fd socket, const endpoint& from, const listener_rules& rules);
  void on_exhaustion(int error);
  void on_dial_ready(dialer& attempt);
  void dialed(session::channel_id channel, unique_fd socket, tls_stream tls);
  void dial_failed(session::channel_id channel, session::close_reason reason, std::string detail);
  [[nodiscard]] std::optional<std::vector<endpoint>> resolve(session::channel_id channel, const std::string& host);
  [[nodiscard]] std::vector<endpoint> last_good(const std::string& host) const;
  [[nodiscard]] const upstream_options& upstream() const noexcept { return config().upstream; }
  [[nodiscard]] const tls_client& tls_to_pools() const noexcept { return common_.tls_to_pools; }

  // From the manager.
  void send(session::channel_id channel, std::string_view bytes) override;
  void close(session::channel_id channel, session::close_reason reason) override;
  void connect(session::channel_id channel, const session::destination& to) override;
  void set_reading(session::channel_id channel, bool enabled) override;
  void find_account(session::lookup_id lookup, std::string_view name) override;
  void find_session(session::lookup_id lookup, std::string_view id) override;
  [[nodiscard]] bool check_share(session::check_id check, session::proof_request what) override;
  void hand_over(session::channel_id channel, unsigned to, session::handover what) override;

 private:
  void add_own_events(metrics::snapshot& to) const;
  template <class Work>
  void wake_up(Work&& work);
  void settle();
  void warn(std::string_view event, std::string_view worker, std::string_view detail) const;
  void flush(const connection::pointer& to);
  [[nodiscard]] bool is_banned(std::string_view address);
  [[nodiscard]] const options& config() const noexcept { return manager_->config(); }
  void set_sweep_interval();
  [[nodiscard]] std::size_t output_limit(side peer) const noexcept;
  void close_unannounced() noexcept;

  void await_header(const connection::pointer& who);
  void on_header(const connection::pointer& who);
  void turn_away(const connection::pointer& who, std::string_view why);
  void leave_unannounced(connection::pointer who);
  void welcome(const connection::pointer& who, session::channel_id channel);
  [[nodiscard]] connection::pointer find(session::channel_id channel) const;

  void lose(const connection::pointer& who, session::close_reason reason, std::string_view detail = {});
  void lose_after_last_words(const connection::pointer& who, session::close_reason reason);
  void linger(const connection::pointer& who);

  void await_connections();
  /// False when nothing was.
  bool serve_ready();
  void on_ready(const connection::pointer& who, std::uint32_t events);
  void on_input(const connection::pointer& from);
  [[nodiscard]] bool open(const connection::pointer& from);
  void read_on(const connection::pointer& from);
  void hand_out(const connection::pointer& to);
  void on_output(const connection::pointer& to);
  void await_mail();
  void await_tick();
  void on_tick();
  void sweep();
  void sweep_connection(const connection::pointer& who);

  shell& common_;
  unsigned index_;
  asio::io_context& io_;
  std::shared_ptr<shard_mailbox> mail_;
  asio::posix::stream_descriptor mail_ready_;
  poller poller_;
  asio::posix::stream_descriptor connections_ready_;
  asio::steady_timer timer_;
  std::vector<std::shared_ptr<listener>> listeners_;
  std::unique_ptr<session::session_manager> manager_;

  std::unordered_map<session::channel_id, connection::pointer> connections_;
  std::unordered_map<session::channel_id, std::shared_ptr<dialer>> dials_;
  std::vector<connection::pointer> lingering_;
  std::vector<connection::pointer> unannounced_;  ///< whose header is not here yet; oldest first

  time_point now_{};
  time_point next_sweep_{};
  duration sweep_interval_{};
  std::pair<std::size_t, std::size_t> former_output_;  ///< limits for miners and pools, ...
  time_point former_output_until_{};                   ///< ... which hold so long where they are higher
  std::vector<shard_task> letters_;  ///< being read
  std::vector<shard_task> news_;     ///< for the manager, once it is free
  std::vector<shard_task> being_told_;
  std::vector<connection::pointer> dirty_;  ///< with new output
  std::vector<connection::pointer> being_flushed_;
  std::vector<shard_task> drain_waiters_;
  bool stopped_ = false;
  std::shared_ptr<const ban_list> bans_;  ///< null: nobody is banned
  std::shared_ptr<const tls_certificate> certificate_;  ///< null: miners get no TLS
  std::uint64_t refused_ = 0;
  std::uint64_t banned_ = 0;
  std::uint64_t without_header_ = 0;
  std::uint64_t exhaustions_ = 0;
  buffer_pool buffers_;
  std::array<char, 64 * 1024> input_;
};

}  // namespace stratumproxy::net
