#include "postgres_connections.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "database_url.hpp"
#include "store.hpp"

namespace stratumproxyd {
namespace {

constexpr std::chrono::seconds retry_pause{1};
// Above the library's own connect_timeout, for the statement that follows the connect.
constexpr std::chrono::seconds set_up_time{2};

std::string with_time_limits(std::string url) {
  for (const auto& [key, value] : {std::pair{"connect_timeout", "3"},
                                   {"tcp_user_timeout", "3000"},
                                   {"keepalives_idle", "10"},
                                   {"keepalives_interval", "3"},
                                   {"keepalives_count", "3"},
                                   {"application_name", "stratumproxyd"}})
    url = with_default_parameter(std::move(url), key, value);
  return url;
}

}  // namespace

postgres_connections::connection::connection(const std::string& url) : link(url) {
  socket = ::fcntl(link.sock(), F_DUPFD_CLOEXEC, 0);
  if (socket < 0) throw std::system_error(errno, std::generic_category(), "no descriptor for the watchman");
}

postgres_connections::connection::~connection() {
  // The receiver's end says UNLISTEN, and would wait for the answer of a server that may be silent.
  if (receiver) ::shutdown(socket, SHUT_RDWR);
  if (socket >= 0) ::close(socket);
}

postgres_connections::lease::lease(postgres_connections& owner, std::unique_ptr<connection> taken, clock::time_point deadline)
    : owner_(owner), taken_(std::move(taken)) {
  owner_.watch(taken_->socket, deadline);
}

postgres_connections::lease::~lease() {
  owner_.unwatch(taken_->socket);
  const std::lock_guard guard(owner_.mutex_);
  if (keep_ && !owner_.stopping_) {
    owner_.idle_.push_back(std::move(taken_));
    owner_.available_.notify_one();
  } else {
    --owner_.open_;
    owner_.wanted_.notify_one();
  }
}

postgres_connections::postgres_connections(std::string url) : postgres_connections(std::move(url), nullptr, 4) {}

postgres_connections::postgres_connections(std::string url, set_up prepare)
    : postgres_connections(std::move(url), std::move(prepare), 1) {}

postgres_connections::postgres_connections(std::string url, set_up prepare, std::size_t most)
    : url_(with_time_limits(std::move(url))), prepare_(std::move(prepare)), most_(most) {
  connector_ = std::thread([this] { connect_forever(); });
  watchman_ = std::thread([this] { watch_forever(); });
}

postgres_connections::~postgres_connections() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  available_.notify_all();
  connector_.join();
  watch_changed_.notify_all();
  watchman_.join();
}

std::unique_ptr<postgres_connections::lease> postgres_connections::acquire(clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  const auto seen = failures_;
  const auto fail = [&] {
    if (taken_) throw tag_taken(failure_);
    throw store_unavailable(failure_);
  };
  if (idle_.empty() && open_ == 0 && clock::now() < retry_at_) fail();
  ++waiting_;
  wanted_.notify_one();
  const bool answered =
      available_.wait_until(lock, deadline, [&] { return !idle_.empty() || stopping_ || (failures_ != seen && open_ == 0); });
  --waiting_;
  if (stopping_) throw store_unavailable("the database is being closed");
  if (idle_.empty()) {
    if (answered) fail();
    throw store_unavailable("the database does not answer in time");
  }
  auto taken = std::move(idle_.back());
  idle_.pop_back();
  lock.unlock();
  return std::make_unique<lease>(*this, std::move(taken), deadline);
}

void postgres_connections::drop_idle() {
  std::vector<std::unique_ptr<connection>> dead;
  const std::lock_guard guard(mutex_);
  dead.swap(idle_);
  open_ -= dead.size();
}

void postgres_connections::connect_forever() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [&] { return stopping_ || (waiting_ > idle_.size() && open_ < most_); });
    if (wanted_.wait_until(lock, retry_at_, [&] { return stopping_; })) return;
    lock.unlock();
    std::unique_ptr<connection> made;
    std::string failure;
    bool taken = false;
    int watched_socket = -1;
    try {
      made = std::make_unique<connection>(url_);
      watched_socket = made->socket;
      watch(watched_socket, clock::now() + set_up_time);
      // The server gives up a little before the watchman does, so that a slow statement costs no connection.
      pqxx::nontransaction(made->link).exec("SET statement_timeout = 1500");
      if (prepare_) prepare_(*made);
    } catch (const tag_taken& error) {
      failure = error.what();
      taken = true;
    } catch (const std::exception& error) {
      failure = "the database cannot be reached: " + without_password(error.what(), url_);
    }
    if (watched_socket >= 0) unwatch(watched_socket);
    if (!failure.empty()) made.reset();
    lock.lock();
    if (made) {
      ++open_;
      idle_.push_back(std::move(made));
      available_.notify_one();
    } else {
      ++failures_;
      failure_ = std::move(failure);
      taken_ = taken;
      retry_at_ = clock::now() + retry_pause;
      available_.notify_all();
    }
  }
}

void postgres_connections::watch(int socket, clock::time_point deadline) {
  const std::lock_guard guard(mutex_);
  watched_.push_back({socket, deadline});
  watch_changed_.notify_one();
}

void postgres_connections::unwatch(int socket) {
  const std::lock_guard guard(mutex_);
  std::erase_if(watched_, [&](const watched& entry) { return entry.socket == socket; });
}

void postgres_connections::watch_forever() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || !watched_.empty()) {
    const auto now = clock::now();
    std::erase_if(watched_, [&](const watched& entry) {
      if (entry.deadline > now) return false;
      ::shutdown(entry.socket, SHUT_RDWR);
      return true;
    });
    if (watched_.empty()) {
      watch_changed_.wait(lock, [&] { return stopping_ || !watched_.empty(); });
    } else {
      const auto next = std::min_element(watched_.begin(), watched_.end(),
                                         [](const watched& a, const watched& b) { return a.deadline < b.deadline; });
      const auto deadline = next->deadline;  // a copy: the entry may be gone before the wait ends
      watch_changed_.wait_until(lock, deadline);
    }
  }
}

}  // namespace stratumproxyd
