#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/listener_rules.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/options.hpp"
#include "stratumproxy/proxy.hpp"
#include "stratumproxy/result.hpp"

namespace stratumproxy::facade {

/// The listening sockets of one proxy. Shards get descriptors of their own for them.
class listening {
 public:
  /// Binds everything that the options name, but for what is inherited. Host names are looked up, which may block.
  [[nodiscard]] static result<listening> open(const options& config, unsigned shards, listening_sockets inherited = {});

  /// Those that a shard accepts from: each shard has one of every listener, and each socket has a shard, also where there are more of
  /// one than of the other. Throws std::system_error when there are no descriptors left.
  [[nodiscard]] std::vector<net::listening_socket> of_shard(unsigned shard) const;
  /// All of them. Throws likewise.
  [[nodiscard]] listening_sockets duplicates() const;
  /// The bound ones, HOST:PORT, in the order of the options.
  [[nodiscard]] const std::vector<std::string>& addresses() const noexcept { return addresses_; }

  /// Once the shards have closed theirs, too, nobody can connect.
  void close() noexcept { listeners_.clear(); }

 private:
  struct listener {
    std::shared_ptr<const net::listener_rules> rules;
    std::vector<unique_fd> sockets;
  };
  [[nodiscard]] std::error_code open(const listener_options& wanted, std::vector<unique_fd> inherited);

  unsigned shards_ = 1;
  std::vector<listener> listeners_;
  std::vector<std::string> addresses_;
};

}  // namespace stratumproxy::facade
