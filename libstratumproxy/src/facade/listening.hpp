#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/listener_rules.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/result.hpp"

namespace stratumproxy::facade {

/// The listening sockets of one proxy. Shards get descriptors of their own for them.
class listening {
 public:
  /// Binds everything that the options name. Host names are looked up, which may block.
  [[nodiscard]] static result<listening> open(const options& config, unsigned shards);

  /// Those that a shard accepts from. Throws std::system_error when there are no descriptors left.
  [[nodiscard]] std::vector<net::listening_socket> of_shard(unsigned shard) const;
  /// The bound ones, HOST:PORT, in the order of the options.
  [[nodiscard]] const std::vector<std::string>& addresses() const noexcept { return addresses_; }

  /// Once the shards have closed theirs, too, nobody can connect.
  void close() noexcept { listeners_.clear(); }

 private:
  struct listener {
    std::shared_ptr<const net::listener_rules> rules;
    std::vector<net::unique_fd> sockets;
  };
  [[nodiscard]] std::error_code open(const std::string& address, const std::vector<std::string>& proxy_protocol_from);

  unsigned shards_ = 1;
  std::vector<listener> listeners_;
  std::vector<std::string> addresses_;
};

}  // namespace stratumproxy::facade
