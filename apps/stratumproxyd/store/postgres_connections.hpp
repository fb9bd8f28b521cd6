#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <pqxx/pqxx>

namespace stratumproxyd {

/// A handful of connections to one PostgreSQL, and the two threads that keep a dead or silent server from holding anybody up:
/// the connector is the only one that ever waits in a connect (or in the resolver), and the watchman shuts the socket of a
/// connection whose user's time is over, because the client library itself waits for an answer without limit.
class postgres_connections {
 public:
  using clock = std::chrono::steady_clock;

  struct connection {
    explicit connection(const std::string& url);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    pqxx::connection link;
    pqxx::quiet_errorhandler quiet{link};  // its notices would go to standard error
    int socket = -1;                       // a duplicate: the library may close its own at any moment
    std::unique_ptr<pqxx::notification_receiver> receiver;  // of who listens; ends before what it listens to
  };
  using set_up = std::function<void(connection&)>;

  /// The right to use a connection until a deadline. When it ends without keep(), the connection is thrown away.
  class lease {
   public:
    lease(postgres_connections& owner, std::unique_ptr<connection> taken, clock::time_point deadline);
    ~lease();
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    [[nodiscard]] pqxx::connection& link() noexcept { return taken_->link; }
    [[nodiscard]] connection& whole() noexcept { return *taken_; }
    void keep() noexcept { keep_ = true; }
    /// Without a deadline from here on: for who asks the server nothing.
    void unwatch() { owner_.unwatch(taken_->socket); }

   private:
    postgres_connections& owner_;
    std::unique_ptr<connection> taken_;
    bool keep_ = false;
  };

  explicit postgres_connections(std::string url);
  /// One connection only, and none that `prepare` threw for. It runs on the connector's thread, for 2 s at most; acquire()
  /// passes tag_taken on.
  postgres_connections(std::string url, set_up prepare);
  ~postgres_connections();

  /// Waits for a connection, at most until the deadline, and not at all within a second of a failed attempt. Throws
  /// store_unavailable.
  [[nodiscard]] std::unique_ptr<lease> acquire(clock::time_point deadline);
  /// After one connection was found dead the idle ones are most likely dead too.
  void drop_idle();

 private:
  struct watched {
    int socket;
    clock::time_point deadline;
  };
  postgres_connections(std::string url, set_up prepare, std::size_t most);
  void connect_forever();
  void watch_forever();
  void watch(int socket, clock::time_point deadline);
  void unwatch(int socket);

  const std::string url_;
  const set_up prepare_;
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wanted_, available_, watch_changed_;
  std::vector<std::unique_ptr<connection>> idle_;
  std::vector<watched> watched_;
  std::size_t open_ = 0;     // idle and in use
  std::size_t waiting_ = 0;  // callers in acquire
  std::size_t failures_ = 0;
  clock::time_point retry_at_{};
  std::string failure_;  // why the last attempt to connect failed
  bool taken_ = false;   // it was tag_taken
  bool stopping_ = false;
  std::thread connector_, watchman_;
};

}  // namespace stratumproxyd
